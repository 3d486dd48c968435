#ifndef QUIRE_QUIRE_H_
#define QUIRE_QUIRE_H_

/* The C interface of Quire, for every language that can call C.
 *
 *   quire_llm* llm = NULL;
 *   if (quire_open("models/smollm2-135m-instruct", NULL, &llm) != QUIRE_OK)
 *     return fail(quire_last_error());
 *   quire_submit_chat(llm, "What is the capital of France?", NULL, &id);
 *   while (quire_step(llm) == QUIRE_OK) {
 *     while (quire_poll(llm, &event) == QUIRE_OK) fwrite(event.text, 1, event.text_size, stdout);
 *     if (!quire_has_unfinished(llm)) break;
 *   }
 *   quire_free(llm);
 *
 * A quire_llm is used by one thread at a time. Strings are UTF-8. Everything a function hands out
 * belongs to the quire_llm and lives until its next quire_poll, quire_step or quire_free. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTBEGIN(modernize-use-using): this is C. */
typedef struct quire_llm quire_llm;

/* What every function returns; quire_last_error() has the sentence. */
typedef enum quire_status {
  QUIRE_OK = 0,
  QUIRE_FAILED = 1,           /* a failure at run time */
  QUIRE_INVALID_ARGUMENT = 2, /* the caller's mistake */
  QUIRE_BAD_MODEL = 3,        /* the package cannot be used */
  QUIRE_NOTHING = 4           /* quire_poll: there is no event now */
} quire_status;

/* Start from quire_default_options(). 0 or NULL means "choose for me". */
typedef struct quire_options {
  int num_threads;
  int num_kv_blocks;
  int max_num_seqs;
  int max_batch_tokens;
  int prefix_cache; /* 0: off */
  int block_size;   /* tokens a cache block, a multiple of 16 */
  /* Strings of EngineOptions in options.h; copied. */
  const char* backend;         /* "auto", "graph", "onnx" or "torch" */
  const char* kv_dtype;        /* "auto", "fp32", "fp16", "bf16" or "int8" */
  const char* tools;           /* "auto", "none" or the name of a tool */
  const char* activation_bits; /* "auto", "8" or "16" */
  int speculate;               /* tokens a step may guess and check, 0 to 32; 0: none */
} quire_options;

/* Start from quire_default_sampling_params(): greedy, 256 tokens. */
typedef struct quire_sampling_params {
  int max_tokens;
  double temperature;
  int top_k;
  double top_p;
  double min_p;
  uint64_t seed; /* counts when has_seed is not 0 */
  int has_seed;
  int ignore_eos;
} quire_sampling_params;

/* A piece of an answer. */
typedef struct quire_event {
  uint64_t request_id;
  const char* text; /* new text, text_size bytes, also ended by a 0 */
  size_t text_size;
  const int32_t* token_ids; /* new ids */
  size_t num_token_ids;
  int finished;              /* 1: the last event of its request */
  const char* finish_reason; /* "stop", "length", "cancelled", "error"; "" while it goes on */
  const char* error;         /* why the request failed; "" otherwise */
  const char* kind; /* what the text is: "text", or "tool_call" and "tool_result" with a tool on */
  int index;        /* which of the request's n answers this belongs to */
  /* One entry a new id where log-probabilities were asked for, as the JSON list of the guide's
   * "logprobs"; "" otherwise. */
  const char* logprobs_json;
} quire_event;
/* NOLINTEND(modernize-use-using) */

quire_options quire_default_options(void);
quire_sampling_params quire_default_sampling_params(void);

/* Opens a model package; `options` may be NULL. On success *llm is to be freed with quire_free. */
quire_status quire_open(const char* package, const quire_options* options, quire_llm** llm);
void quire_free(quire_llm* llm);

/* Queue a prompt; `params` may be NULL. The text is continued as it is, the question is put into
 * the package's chat template, the ids are taken as they are. *request_id names it in events. */
quire_status quire_submit_text(quire_llm* llm,
                               const char* text,
                               const quire_sampling_params* params,
                               uint64_t* request_id);
quire_status quire_submit_chat(quire_llm* llm,
                               const char* question,
                               const quire_sampling_params* params,
                               uint64_t* request_id);
quire_status quire_submit_ids(quire_llm* llm,
                              const int32_t* ids,
                              size_t num_ids,
                              const quire_sampling_params* params,
                              uint64_t* request_id);

/* Queues what a JSON object asks for, written as a line of a prompt file (docs/guide.md): one of
 * "prompt", "messages" and "token_ids"; sampling fields by their names, "n", "stop" and "logprobs"
 * among them; "tools" and "chat_template_kwargs" for the template; "timeout_ms", "priority" and
 * "cache_salt". A field that is not known is refused. */
quire_status quire_submit_json(quire_llm* llm, const char* request, uint64_t* request_id);

/* Computes one step of all requests that can run. */
quire_status quire_step(quire_llm* llm);
/* The next event of past steps, or QUIRE_NOTHING. */
quire_status quire_poll(quire_llm* llm, quire_event* event);
int quire_has_unfinished(const quire_llm* llm);
/* Takes a request back; QUIRE_INVALID_ARGUMENT when there is none of that id. */
quire_status quire_cancel(quire_llm* llm, uint64_t request_id);

/* Why the last call of this thread failed; "" when none did. */
const char* quire_last_error(void);
const char* quire_version(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* QUIRE_QUIRE_H_ */
