"""How commands end: a sentence for what the machine lacks, whoever says it and however."""

import pytest

from clave.cli.ending import ended


@pytest.mark.parametrize(
    "said",
    [
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: std::bad_alloc",
        "libtorch_cpu.so: failed to map segment from shared object",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 12 bytes",
        "malloc of size 4096 failed",
        "Out of memory",
    ],
)
def test_too_little_memory_is_a_sentence_whatever_the_library_calls_it(said, capsys):
    with pytest.raises(SystemExit) as end:
        ended(RuntimeError(said))
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: there is too little memory for this")
