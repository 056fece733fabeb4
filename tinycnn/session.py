"""InferenceSession and SessionOptions in onnxruntime's shape, so that a user changes one import."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tinycnn.errors import DeviceError, FeedError, FeedTypeError, OptionError
from tinycnn.ir import Graph, TensorSpec, computed
from tinycnn.ir.memory import Pool
from tinycnn.runtime.device_array import describe, is_on_device
from tinycnn.source import Source

if TYPE_CHECKING:
    from tinycnn.kernels.lowering import Target
    from tinycnn.planner.tuned import Tuned
    from tinycnn.runtime.network import Network, Plan

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
ONNX_TYPES = {"float32": "float", "float64": "double", "bool": "bool", "object": "string", "str": "string"}
WINOGRAD = tuple(f"winograd_f{m}x{r}" for m, r in ((2, 3), (4, 3), (6, 3), (4, 4), (5, 4), (2, 5), (4, 5)))
STRIDED = tuple(f"{name}s2" for name in WINOGRAD)
ALGORITHMS = ("direct", "im2col", *WINOGRAD, *STRIDED, "strassen", "depthwise", "grouped", "plain", "bytes", "dense")
NETWORKS_KEPT = 8
MOST_THREADS = 1024


Provider = str | tuple[str, Mapping[str, Any]]


def get_available_providers() -> list[str]:
    """The providers that a session may be asked for here."""
    from tinycnn.kernels.cuda.driver import open_gpu

    try:
        open_gpu()
    except DeviceError:
        return [CPU]
    return [CUDA, CPU]


@dataclass
class SessionOptions:
    """What a session may be told. The first group has onnxruntime's names.

    intra_op_num_threads   threads of one inference; 0: as many processors as this process may use
    conv_algorithm         one of ALGORITHMS for all convolutions that it can compute, or a mapping from node name to
                           algorithm; None: the cost model chooses
    tuned                  file of what `tinycnn tune` measured on this machine, which then chooses; "off": none; "":
                           that of the knob TINYCNN_TUNED, else that in the user's cache folder, if there is one
    dropout                of a file, "identity" (ONNX's meaning) or "scale": the network was trained with the original
                           dropout, which scales by the keep probability at test time (Srivastava et al. 2014, JMLR 15)
    """

    intra_op_num_threads: int = 0
    inter_op_num_threads: int = 0
    log_severity_level: int = 2
    log_verbosity_level: int = 0
    logid: str = ""
    enable_cpu_mem_arena: bool = True
    enable_mem_pattern: bool = True
    use_deterministic_compute: bool = True
    session_config: dict[str, str] = field(default_factory=dict)
    conv_algorithm: str | Mapping[str, str] | None = None
    dropout: str = "identity"
    tuned: str = ""

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Kept and otherwise ignored: onnxruntime's entries speak of onnxruntime's inside."""
        self.session_config[key] = value

    def algorithms(self) -> dict[str, str]:
        """Node name -> algorithm, "" for all. Raises OptionError for an algorithm that does not exist."""
        wish = self.conv_algorithm or {}
        named = {"": wish} if isinstance(wish, str) else dict(wish)
        for algorithm in named.values():
            if algorithm not in ALGORITHMS:
                raise OptionError(f"conv_algorithm {algorithm!r}: it must be one of {', '.join(ALGORITHMS)}")
        return named

    def threads(self) -> int:
        """Threads of one inference, the default resolved. Raises OptionError for a number that cannot be."""
        from tinycnn.runtime.team import default_threads

        wish = self.intra_op_num_threads
        if not 0 <= wish <= MOST_THREADS:
            raise OptionError(f"intra_op_num_threads {wish}: it must be 0 for all processors, or 1 to {MOST_THREADS}")
        return wish or default_threads()


@dataclass(frozen=True)
class NodeArg:
    """An input or output. shape holds ints, and strings for sizes that a feed decides; type is as "tensor(float)"."""

    name: str
    shape: list[int | str | None]
    type: str

    @classmethod
    def of(cls, name: str, spec: TensorSpec | None) -> "NodeArg":
        if spec is None:
            return cls(name, [], "tensor(float)")
        return cls(name, list(spec.shape or ()), f"tensor({ONNX_TYPES.get(spec.dtype.name, spec.dtype.name)})")


@dataclass(frozen=True)
class ModelMetadata:
    """What the model says of itself."""

    producer_name: str
    graph_name: str
    domain: str
    description: str
    graph_description: str
    version: int
    custom_metadata_map: dict[str, str]


def check_feed(name: str, value: Any, spec: TensorSpec) -> np.ndarray:
    """The feed as an array. Raises FeedTypeError and FeedError, naming the input and what it takes."""
    if is_on_device(value):
        if computed(spec.dtype) != spec.dtype:
            raise FeedTypeError(f"input {name!r} takes {spec.dtype.name}: give it as an array of the host")
        check_array(name, *describe(value)[:2], spec)
        return value
    if not isinstance(value, np.ndarray):
        if not hasattr(value, "__array__") and not isinstance(value, list | tuple | int | float):
            raise FeedTypeError(f"input {name!r}: an array is needed, not {type(value).__name__}")
        try:
            value = np.asarray(value, spec.dtype)
        except (TypeError, ValueError) as error:
            raise FeedTypeError(f"input {name!r}: {error}") from None
    if value.dtype.kind == "U" and spec.dtype == object:
        value = value.astype(object)
    check_array(name, value.shape, value.dtype, spec)
    return value


def check_array(name: str, shape: Sequence[int], dtype: np.dtype, spec: TensorSpec) -> None:
    if dtype != spec.dtype:
        found = dtype.name if dtype.isnative else dtype.str
        raise FeedTypeError(f"input {name!r} takes {spec.dtype.name}, not {found}; convert it with .astype")
    if spec.shape is not None:
        fits = len(spec.shape) == len(shape) and all(
            not isinstance(d, int) or d == got for d, got in zip(spec.shape, shape, strict=False)
        )
        if not fits:
            wanted = "x".join(map(str, spec.shape)) or "scalar"
            raise FeedError(f"input {name!r} takes {wanted}, not {'x'.join(map(str, shape)) or 'scalar'}")


def check_results_may_stay(names: Sequence[str], casts: Sequence[np.dtype | None]) -> None:
    """Raises FeedTypeError, as feeds lie on the device, for a result that only the host brings to its dtype."""
    for name, dtype in zip(names, casts, strict=True):
        if dtype is not None:
            raise FeedTypeError(f"output {name!r} is {dtype.name}, made on the host: give feeds as arrays of the host")


class InferenceSession:
    """A model, ready to run.

    path_or_bytes  file of an ONNX model, its bytes, or a `tinycnn.Graph`
    sess_options   SessionOptions
    providers      in order of preference, "CUDAExecutionProvider" and "CPUExecutionProvider", the default; with
                   options as (name, {...}): CUDA takes device_id (0) and precision ("f32", "tf32", "bf16", "f16")

    Raises ModelFormatError, UnsupportedModelError or LimitError when the model cannot be used, OptionError for options
    and providers that do not exist, DeviceError for a device that cannot be used. Nothing falls back silently: what
    CUDA has no kernel for runs on the processor only if the providers name it too.
    """

    def __init__(
        self,
        path_or_bytes: "str | os.PathLike[str] | bytes | Graph | Any",
        sess_options: SessionOptions | None = None,
        providers: Sequence[Provider] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
    ):
        self.options = sess_options or SessionOptions()
        self.source = Source(path_or_bytes, self.options.dropout)
        self.providers = with_options(providers or [CPU], provider_options)
        if self.options.intra_op_num_threads < 0:
            raise OptionError(f"intra_op_num_threads is {self.options.intra_op_num_threads}; 0 means all processors")
        self.algorithms = self.options.algorithms()
        self.targets = [target(name, told) for name, told in self.providers.items()]
        self.tuned = self.measured()
        self.lock = threading.Lock()
        self.networks: dict[tuple[str, ...], Network] = {}
        with Pool().provide() as pool:
            graph = self.source.load()
            self.declared = graph.replace(constants={})
            self.values = frozenset((*graph.inputs, *graph.constants, *graph.producers()))
            for name in set(self.algorithms) - {"", *(node.name for node in graph.nodes)}:
                raise OptionError(f"conv_algorithm: the model has no node {name!r}")
            self.network = self.networks[graph.outputs] = self.network_for(as_f32(graph), graph.outputs, pool)
            del graph  # what passes made other weights of need not stay in memory while these are packed
            self.runner = self.network.settle()
        pool.trim()
        self.casts = [self.cast_of(name) for name in self.declared.outputs]
        self.takes_device_arrays = CUDA in self.providers
        static = {name: spec for name, spec in self.declared.inputs.items() if spec.is_static}
        self.exact = {n: (spec.dims, spec.dtype) for n, spec in static.items() if computed(spec.dtype) == spec.dtype}

    def imported(self) -> Graph:
        """The graph before any pass, in the dtypes that it is computed in: read again.

        Raises ModelFormatError when its files have changed since.
        """
        return as_f32(self.source.load())

    def cast_of(self, name: str) -> np.dtype | None:
        spec = self.declared.specs.get(name)
        return None if spec is None or computed(spec.dtype) == spec.dtype else spec.dtype

    def network_for(self, graph: Graph, outputs: tuple[str, ...], pool: Pool | None = None) -> "Network":
        """The network that computes these values of the graph."""
        from tinycnn.planner.choose import Options
        from tinycnn.planner.weights import WeightStore
        from tinycnn.runtime.network import Network

        threads = self.options.threads()
        options = [
            Options(t, threads, self.algorithms, self.tuned) if t.platform == "cpu" else Options(t, 1, self.algorithms)
            for t in self.targets
        ]
        source = self.source  # rather than the session, which would keep itself alive
        store = WeightStore(pool)
        return Network(loaded(graph, outputs), options, store, again=lambda: loaded(as_f32(source.load()), outputs))

    def measured(self) -> "Mapping[str, Tuned]":
        """What was measured on this processor, for all plans of the session."""
        from tinycnn.kernels.cpu.isa import Isa
        from tinycnn.planner import tuned_file

        isa = next((target for target in self.targets if isinstance(target, Isa)), None)
        return tuned_file.read(isa, self.options.tuned) if isa else {}

    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any], run_options: Any = None
    ) -> list[Any]:
        """The named values, or all outputs for None. Any value of the model may be named, not only its outputs.

        input_feed  input name -> array of the dtype and shape that `get_inputs` tells; a list of arrays for a sequence
        Results are arrays of the declared dtypes, lists of such for sequences, None for an absent optional value.
        Raises FeedError and FeedTypeError, naming the input or output at fault.
        """
        names, runner, casts = self.declared.outputs, self.runner, self.casts
        if output_names and tuple(output_names) != names:
            names = tuple(output_names)
            runner, casts = self.chosen(names), [self.cast_of(name) for name in names]
        feeds = self.check_feeds(input_feed)
        if self.takes_device_arrays and any(is_on_device(value) for value in feeds.values()):
            check_results_may_stay(names, casts)
        results = runner.run(feeds)
        return [y if c is None else as_declared(y, c) for y, c in zip(results, casts, strict=True)]

    def chosen(self, names: tuple[str, ...]) -> "Network":
        """The network that computes these values, any of the model's."""
        for name in names:
            if name not in self.values:
                raise FeedError(f"the model has no value {name!r}; its outputs are {list(self.declared.outputs)}")
        with self.lock:
            if names not in self.networks:
                self.networks[names] = self.network_for(self.imported(), names)
                self.networks[names].settle()
                while len(self.networks) > NETWORKS_KEPT:
                    self.networks.pop(list(self.networks)[1])
            return self.networks[names]

    def check_feeds(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        inputs = self.declared.inputs
        if set(feeds) != inputs.keys():
            unknown = sorted(set(feeds) - set(inputs))
            missing = [name for name in inputs if name not in feeds]
            if unknown:
                raise FeedError(f"the model has no input {unknown[0]!r}; its inputs are {list(inputs)}")
            raise FeedError(f"input {missing[0]!r} is missing; the model's inputs are {list(inputs)}")
        checked = {}
        for name, spec in inputs.items():
            value = feeds[name]
            as_it_is = type(value) is np.ndarray and (value.shape, value.dtype) == self.exact.get(name)
            checked[name] = value if as_it_is else self.check_feed(name, value, spec)
        return checked

    def check_feed(self, name: str, value: Any, spec: TensorSpec) -> Any:
        """The feed in the dtype that it is computed in."""
        if not self.takes_device_arrays and is_on_device(value):
            raise FeedTypeError(f"input {name!r} lies on a CUDA device, and this session runs on the processor")
        return as_computed(value if spec.is_unknown else check_feed(name, value, spec))

    def plan(self, shapes: Mapping[str, tuple[int, ...]]) -> "Plan":
        """What runs for these input shapes: for `inspect` and for those who want more."""
        return self.network.plan(shapes)

    def get_inputs(self) -> list[NodeArg]:
        return [NodeArg.of(name, spec) for name, spec in self.declared.inputs.items()]

    def get_outputs(self) -> list[NodeArg]:
        return [NodeArg.of(name, self.declared.specs.get(name)) for name in self.declared.outputs]

    def get_overridable_initializers(self) -> list[NodeArg]:
        return []

    def get_modelmeta(self) -> ModelMetadata:
        m = dict(self.declared.metadata)
        told = {key: m.pop(key, "") for key in ("producer_name", "domain", "description", "graph_description")}
        version = m.pop("model_version", "0")
        m.pop("producer_version", None)  # onnxruntime does not tell it
        return ModelMetadata(
            told["producer_name"], self.declared.name, told["domain"], told["description"], told["graph_description"],
            int(version) if version.lstrip("-").isdigit() else 0, m,
        )  # fmt: skip

    def get_providers(self) -> list[str]:
        return list(self.providers)

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {name: {key: str(value) for key, value in told.items()} for name, told in self.providers.items()}

    def get_session_options(self) -> SessionOptions:
        return self.options

    def __reduce__(self) -> tuple[Any, ...]:
        return InferenceSession, (self.source.what, self.options, list(self.providers.items()))


def with_options(
    providers: Sequence[Provider], options: Sequence[Mapping[str, Any]] | None
) -> dict[str, Mapping[str, Any]]:
    """Provider -> its options. Raises OptionError for a provider that does not exist or is named twice."""
    named = [(p, {}) if isinstance(p, str) else p for p in providers]
    if options:
        if len(options) != len(named):
            raise OptionError(f"provider_options has {len(options)} entries for {len(named)} providers")
        named = [(name, {**told, **more}) for (name, told), more in zip(named, options, strict=True)]
    for name, _ in named:
        if name not in (CUDA, CPU):
            raise OptionError(f"provider {name!r} does not exist; there are {CUDA!r} and {CPU!r}")
    if len(dict(named)) < len(named):
        raise OptionError(f"a provider is named twice in {[name for name, _ in named]}")
    return dict(named)


def target(provider: str, options: Mapping[str, Any]) -> "Target":
    """What to compile for. Raises OptionError for options that do not exist, DeviceError without the device."""
    known = ("device_id", "precision") if provider == CUDA else ()
    for key in options:
        if key not in known:
            raise OptionError(f"{provider} has no option {key!r}; it has {', '.join(known) or 'none'}")
    if provider == CPU:
        from tinycnn.kernels.cpu import isa

        return isa.current()
    from tinycnn.kernels.cuda.driver import device

    try:
        number = int(options.get("device_id", 0))
    except (TypeError, ValueError):
        raise OptionError(f"device_id {options['device_id']!r}: it must be the number of a device") from None
    return device(number, options.get("precision", "f32"))


def loaded(graph: Graph, outputs: tuple[str, ...]) -> Graph:
    """What computes these values of the graph, optimised for any shapes."""
    from tinycnn import passes

    return passes.run(graph.replace(outputs=outputs).pruned(), passes.LOAD)


def as_f32(graph: Graph) -> Graph:
    """Inputs of f16 and other narrow dtypes as they are computed: the session converts at the border."""
    inputs = {name: TensorSpec(spec.shape, computed(spec.dtype)) for name, spec in graph.inputs.items()}
    return graph.replace(inputs=inputs, specs={})


def as_computed(value: Any) -> Any:
    """A feed in the dtype that it is computed in; the elements of a sequence likewise."""
    if isinstance(value, np.ndarray):
        return value.astype(computed(value.dtype), copy=False)
    return [as_computed(item) for item in value] if isinstance(value, list | tuple) else value


def as_declared(value: Any, dtype: np.dtype) -> Any:
    """A result in its declared dtype; the elements of a sequence likewise."""
    if isinstance(value, list):
        return [as_declared(item, dtype) for item in value]
    if not isinstance(value, np.ndarray) or value.dtype != computed(dtype):
        return value
    with np.errstate(over="ignore"):
        return value.astype(dtype)


def load(path_or_bytes: "str | os.PathLike[str] | bytes | Any", dropout: str = "identity") -> Graph:
    """The graph of an ONNX model, as imported: no pass has run.

    Raises ModelFormatError, UnsupportedModelError or LimitError when the model cannot be used.
    """
    from tinycnn.converters import load_onnx

    return load_onnx(path_or_bytes, dropout=dropout)
