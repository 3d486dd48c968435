/* One question through the C interface: examples/hello_c PACKAGE QUESTION */

#include <stdio.h>

#include "quire/quire.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: hello_c PACKAGE QUESTION\n");
    return 2;
  }
  quire_llm* llm = NULL;
  if (quire_open(argv[1], NULL, &llm) != QUIRE_OK) {
    fprintf(stderr, "%s\n", quire_last_error());
    return 1;
  }
  quire_sampling_params params = quire_default_sampling_params();
  params.max_tokens = 64;
  uint64_t id = 0;
  int failed = quire_submit_chat(llm, argv[2], &params, &id) != QUIRE_OK;
  if (failed) fprintf(stderr, "%s\n", quire_last_error());
  while (!failed && quire_has_unfinished(llm)) {
    quire_event event;
    failed = quire_step(llm) != QUIRE_OK;
    while (quire_poll(llm, &event) == QUIRE_OK) {
      fwrite(event.text, 1, event.text_size, stdout);
      if (event.finished && event.error[0] != '\0') {
        fprintf(stderr, "%s\n", event.error);
        failed = 1;
      }
    }
  }
  printf("\n");
  quire_free(llm);
  return failed;
}
