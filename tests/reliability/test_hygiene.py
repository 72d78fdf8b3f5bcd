"""No code of jactrain unpickles, evaluates text, starts a shell, or seeds what others draw from."""

import ast
import textwrap
from pathlib import Path

import pytest

import jactrain

ROOT = Path(jactrain.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

PICKLES = ("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal", "jsonpickle")
BUILTINS = ("eval", "exec", "compile", "__import__")
LOADERS = ("load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all")
UNSAFE = ("Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader", "CUnsafeLoader", "Constructor")
SHELLS = ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput")
# What imports a module by a name that is computed, and what the name comes from.
IMPORTERS = {
    "__init__.py": "a table in the same file",
    "registry.py": "the modules of jactrain's own packages",
    "plugins.py": "--plugin on the command line",
}


def dotted(node):
    """Return `a.b.c` for the expression that says so, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    before = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{before}.{node.attr}" if before else ""


def imported_names(tree):
    """Return what every imported name stands for: `{"np": "numpy", "system": "os.system"}`."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def safe_loaders(tree, names):
    """Return the classes of a file that descend from one of PyYAML's safe loaders."""
    safe = {"yaml.SafeLoader", "yaml.CSafeLoader", "yaml.BaseLoader", "yaml.CBaseLoader"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(full(base, names) in safe for base in node.bases):
            safe.add(node.name)
    return safe


def full(node, names):
    """Return the dotted name of an expression, its first part as it was imported."""
    first, point, rest = dotted(node).partition(".")
    return names.get(first, first) + point + rest


def complaints(source):
    """Return `[(line, what)]` of all that may not stand in `source`."""
    tree = ast.parse(source)
    names = imported_names(tree)
    safe = safe_loaders(tree, names)
    found = []
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        found += [
            (node.lineno, f"imports {it}")
            for it in modules
            if it.split(".")[0] in PICKLES or it in ("joblib", "joblib.load")
        ]
        if isinstance(node, ast.Name | ast.Attribute):
            name = full(node, names)
            if name in BUILTINS or name.removeprefix("builtins.") in BUILTINS:
                found.append((node.lineno, name))
            if name in SHELLS:
                found.append((node.lineno, name))
            if name in ("numpy.random.seed", "numpy.random.set_state", "random.seed"):
                found.append((node.lineno, name))
            if name.startswith("yaml.") and name.rsplit(".", 1)[1] in (*UNSAFE, *LOADERS[2:]):
                found.append((node.lineno, name))
            if name == "joblib.load" or name.endswith("sklearn.externals"):
                found.append((node.lineno, name))
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            given = node.value.value if isinstance(node.value, ast.Constant) else None
            found += [(node.value.lineno, f"{node.arg} is not False")] * (given is not False)
        if isinstance(node, ast.Call) and full(node.func, names) in ("yaml.load", "yaml.load_all"):
            given = [*node.args[1:2], *(it.value for it in node.keywords if it.arg == "Loader")]
            if not given or full(given[0], names) not in safe:
                found.append((node.lineno, "yaml.load without a safe loader"))
    return found


def importers(source):
    """Return the lines that import a module by a name that is computed."""
    tree = ast.parse(source)
    names = imported_names(tree)
    functions = (
        "importlib.import_module",
        "importlib.__import__",
        "__import__",
        "runpy.run_path",
        "runpy.run_module",
    )
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and (full(node, names) in functions or "spec_from_file_location" in full(node, names))
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unsafe_is_called(path):
    assert not complaints(path.read_text(encoding="utf-8"))


def test_modules_are_imported_by_name_in_three_places():
    places = {
        path.relative_to(ROOT).as_posix() for path in FILES if importers(path.read_text(encoding="utf-8"))
    }
    assert places == set(IMPORTERS)
    assert not any(place.startswith(("config/", "runs/")) for place in places)


def test_no_word_of_it_stands_in_the_text():
    """What the tree does not tell: code in templates, in strings, and under another name."""
    words = ("import pickle", "allow_pickle=True", "shell=True", "os.system(", "random.seed(", "unsafe_load")
    files = [
        path for path in ROOT.rglob("*") if path.suffix in (".py", ".html", ".j2", ".yaml", ".js", ".txt")
    ]
    assert len(files) >= len(FILES) > 100
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert [word for word in words if word in text] == [], path


PLANTED = {
    "import pickle": "imports pickle",
    "import pickle as p": "imports pickle",
    "from pickle import loads": "imports pickle",
    "def f():\n    import cloudpickle": "imports cloudpickle",
    "import dill": "imports dill",
    "import joblib": "imports joblib",
    "from joblib import load": "imports joblib",
    "import shelve": "imports shelve",
    "eval('1')": "eval",
    "f = eval": "eval",
    "exec('1')": "exec",
    "compile('1', 'a', 'eval')": "compile",
    "import builtins\nbuiltins.eval('1')": "builtins.eval",
    "__import__('os')": "__import__",
    "import numpy as np\nnp.load('a', allow_pickle=True)": "allow_pickle is not False",
    "import numpy as np\nnp.load('a', allow_pickle=yes)": "allow_pickle is not False",
    "import yaml\nyaml.load('a')": "yaml.load without a safe loader",
    "import yaml\nyaml.load('a', yaml.Loader)": "yaml.load without a safe loader",
    "import yaml as y\ny.load('a', Loader=y.FullLoader)": "yaml.load without a safe loader",
    "from yaml import load, Loader\nload('a', Loader)": "yaml.load without a safe loader",
    "import yaml\nyaml.unsafe_load('a')": "yaml.unsafe_load",
    "import yaml\nyaml.full_load('a')": "yaml.full_load",
    "import yaml\nclass L(yaml.UnsafeLoader): pass\nyaml.load('a', L)": "yaml.load without a safe loader",
    "import os\nos.system('ls')": "os.system",
    "from os import system\nsystem('ls')": "os.system",
    "import os\nos.popen('ls')": "os.popen",
    "import subprocess\nsubprocess.run('ls', shell=True)": "shell is not False",
    "import numpy as np\nnp.random.seed(0)": "numpy.random.seed",
    "from numpy import random\nrandom.seed(0)": "numpy.random.seed",
    "import numpy\nnumpy.random.seed(0)": "numpy.random.seed",
    "import random\nrandom.seed(0)": "random.seed",
}


@pytest.mark.parametrize("snippet", PLANTED)
def test_the_checker_finds_what_is_planted(snippet):
    assert PLANTED[snippet] in [what for _, what in complaints(snippet)]


def test_the_checker_finds_what_is_planted_among_real_code():
    source = (ROOT / "data" / "archive.py").read_text()
    planted = source.replace("allow_pickle=False", "allow_pickle=True")
    assert planted != source
    assert [what for _, what in complaints(planted)] == ["allow_pickle is not False"]


@pytest.mark.parametrize(
    "snippet",
    [
        "import re\nre.compile('a')",
        "model.eval()",
        "import numpy as np\nnp.load('a', allow_pickle=False)",
        "import yaml\nyaml.load('a', Loader=yaml.SafeLoader)",
        "import yaml\nclass L(yaml.CSafeLoader): pass\nyaml.load('a', L)",
        "import yaml\nyaml.safe_load('a')",
        "import numpy as np\nnp.random.default_rng(0)",
        "import subprocess\nsubprocess.run(['ls'])",
        "'import pickle'",
    ],
)
def test_the_checker_lets_pass_what_is_safe(snippet):
    assert complaints(snippet) == []


@pytest.mark.parametrize(
    "snippet",
    [
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module as bring\nbring(name)",
        "__import__(name)",
        "import importlib.util\nimportlib.util.spec_from_file_location('a', path)",
        "import runpy\nrunpy.run_path(path)",
    ],
)
def test_imports_by_name_are_found(snippet):
    assert importers(textwrap.dedent(snippet))
