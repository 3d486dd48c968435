"""Runs a graph of stock operators as any user would: with the onnxruntime package."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.stock import FLOAT32_LEVEL


class StockGraph:
    """An explicit or none graph from disk, ready to run on whole sequences.

    `arithmetic` "exact" computes in float32 what the graph would let MatMulNBits do more coarsely.
    """

    def __init__(self, path: Path, arithmetic: str = "canonical") -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(path.parent)
        )
        model = onnx.load(path, load_external_data=False)
        for node in model.graph.node if arithmetic == "exact" else ():
            for attribute in node.attribute:
                if attribute.name == "accuracy_level":
                    attribute.i = FLOAT32_LEVEL
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime raises its own kinds
            cause = (str(error).splitlines() or [type(error).__name__])[0]
            raise ExportError(
                f"onnxruntime refuses the graph: {cause}; install the version of requirements.txt, "
                "or report it",
                EXIT_OTHER,
            ) from error
        self._inputs = {node.name: node.shape for node in self._session.get_inputs()}

    def logits(self, sequences: list[list[int]], split: bool = True) -> list[np.ndarray]:
        """Logits [len, vocab] of each sequence.

        With `split` an explicit graph gets each in two steps, so that the second reads the cache.
        """
        run = self._explicit if "position_ids" in self._inputs else self._none
        return [run(sequence, split) for sequence in sequences]

    def _none(self, sequence: list[int], _split: bool) -> np.ndarray:
        feeds = {
            "input_ids": np.array([sequence], np.int64),
            "position_offset": np.array(0, np.int64),
        }
        return self._session.run(None, feeds)[0][0]

    def _explicit(self, sequence: list[int], split: bool) -> np.ndarray:
        names = [name for name in self._inputs if name.startswith("past_key_values.")]
        cache = {
            name: np.zeros((1, self._inputs[name][1], 0, self._inputs[name][3]), np.float32)
            for name in names
        }
        previous = [-1, *sequence]
        rows = []
        first = len(sequence) // 2 if split else 0
        for begin, end in ((0, first), (first, len(sequence))):
            if begin == end:
                continue
            feeds = {
                "input_ids": np.array([sequence[begin:end]], np.int64),
                "attention_mask": np.ones((1, end), np.int64),
                "position_ids": np.arange(begin, end, dtype=np.int64)[None],
                "previous_ids": np.array([previous[begin:end]], np.int64),
            }
            known = {name: value for name, value in feeds.items() if name in self._inputs}
            out = self._session.run(None, known | cache)
            rows.append(out[0][0])
            cache = dict(zip(names, out[1:], strict=True))
        return np.concatenate(rows)
