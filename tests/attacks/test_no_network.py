"""Without a large model no byte leaves the machine: an audit hook sees every connection and every look-up of a name."""

import subprocess
import sys

SCRIPT = """
import sys

seen = []
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind")
sys.addaudithook(lambda event, args: seen.append((event, args[1:])) if event in NETWORK else None)

from clave import Clave
from clave.records import LabelledResponse, Response

words = {"adhere": "helped", "oppose": "lied", "unrelated": "walked"}
rows = [
    LabelledResponse(id=str(i), scenario=f"s{i}", response=f"They {words[label]} there {i}.", value="care", label=label)
    for i in range(18)
    for label in [("adhere", "oppose", "unrelated")[i % 3]]
]
Clave("mft").fit(rows).save(sys.argv[1])
verdicts = list(Clave.load(sys.argv[1]).evaluate([Response(id="q", response="They helped.", scenario="s")]))
assert [v.status for v in verdicts] == ["ok"], verdicts
assert not seen, seen
"""


def test_no_network_call_happens_without_a_model(tmp_path):
    ran = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "e")], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
