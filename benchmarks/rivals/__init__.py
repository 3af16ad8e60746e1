"""One small adapter a library: the same problem, trained in the way that the library's own documentation shows."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Library:
    """A column: its title, the adapter in this package, the module that it trains with and the name on the registry."""

    title: str
    adapter: str
    module: str
    distribution: str
    torchvision: bool = False

    @property
    def version(self) -> str:
        """The installed version, or "" where the library is not installed."""
        if importlib.util.find_spec(self.module.partition(".")[0]) is None:
            return ""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return "source"

    def load(self) -> ModuleType:
        """The adapter; this imports the library."""
        if self.torchvision:
            without_torchvision()
        return importlib.import_module(f"rivals.{self.adapter}")


LIBRARIES = (
    Library("ts.fit", "truestep_fit", "truestep", "truestep"),
    Library("ts.TrainStep", "truestep_step", "truestep", "truestep"),
    Library("Lightning", "lightning", "lightning", "lightning"),
    Library("Accelerate", "accelerate", "accelerate", "accelerate"),
    Library("Trainer", "trainer", "transformers.trainer", "transformers"),
    Library("Ignite", "ignite", "ignite.engine", "pytorch-ignite"),
    Library("skorch", "skorch", "skorch", "skorch"),
    Library("Keras", "keras", "keras", "keras"),
    Library("fastai", "fastai", "fastai.basics", "fastai"),
    Library("Composer", "composer", "composer", "mosaicml", torchvision=True),
    Library("torchtnt", "torchtnt", "torchtnt.framework", "torchtnt"),
)


class _StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules in place of torchvision, whose every name is an empty class."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        def any_name(name: str) -> type:
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

        module.__dict__.update(__version__="0.0.0", __getattr__=any_name)


def without_torchvision() -> None:
    """Let a library import that only wants torchvision for images, where no torchvision fits the torch at hand."""
    if importlib.util.find_spec("torchvision") is None:
        sys.meta_path.append(_StandIn())


def chosen(names: str) -> Sequence[Library]:
    """The libraries of a comma-separated list of titles; all of them for ""."""
    wanted = {name.strip().lower() for name in names.split(",") if name.strip()}
    unknown = wanted - {library.title.lower() for library in LIBRARIES}
    if unknown:
        raise SystemExit(f"no library is called {', '.join(sorted(unknown))}: {', '.join(x.title for x in LIBRARIES)}")
    return [library for library in LIBRARIES if not wanted or library.title.lower() in wanted]
