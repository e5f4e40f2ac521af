"""Ranks that are no PyTorch script: TensorFlow's addresses, and programs that are not Python."""

import json
import signal
import socket

import pytest

from trainyard.runtime.tf_config import hold_port

# What TensorFlow's workers do with the variable: serve under the own address, reach the others under theirs. `create_server`
# sets SO_REUSEADDR, as gRPC does.
WORKER = """
import json, os, socket, threading
config = json.loads(os.environ["TF_CONFIG"])
workers, index = config["cluster"]["worker"], config["task"]["index"]
assert config["task"]["type"] == "worker" and index == int(os.environ["RANK"])
def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)
server = socket.create_server(address(workers[index]))
def serve():
    for _ in workers:
        connection, _ = server.accept()
        connection.sendall(str(index).encode())
        connection.close()
thread = threading.Thread(target=serve); thread.start()
met = []
for worker in workers:
    while True:
        try:
            met.append(int(socket.create_connection(address(worker), timeout=5).recv(9)))
            break
        except ConnectionRefusedError:
            pass
thread.join()
print(met, len(set(workers)))
"""


def test_each_tensorflow_worker_reaches_every_other_under_the_address_that_it_was_told(attempt):
    one = attempt(WORKER, ranks=3, env={"TRAINYARD_FRAMEWORK": "tensorflow"}).start()
    assert one.wait() == 0
    assert [one.text(rank) for rank in range(3)] == ["[0, 1, 2] 3\n"] * 3, one.text(0, "stderr")


def test_workers_on_several_nodes_wait_for_what_the_agent_has_gathered(attempt):
    env = {"TRAINYARD_FRAMEWORK": "tensorflow", "LOCAL_WORLD_SIZE": "1", "WORLD_SIZE": "2"}
    one = attempt("import os; print(os.environ['TF_CONFIG'])", env=env).start()
    one.started(0)
    endpoint = None
    while endpoint is None:
        endpoint = one.json("rank-0/endpoint.json")
    gathered = {"0": endpoint, "1": {"host": "fd00::2", "port": 7}}
    (one.directory / "endpoints.tmp").write_text(json.dumps(gathered))
    (one.directory / "endpoints.tmp").rename(one.directory / "endpoints.json")
    assert one.wait() == 0
    assert json.loads(one.text(0))["cluster"]["worker"] == [f"127.0.0.1:{endpoint['port']}", "[fd00::2]:7"]


def test_a_held_port_is_for_a_server_with_reuseaddr_only_and_nobody_is_given_it():
    held = hold_port("127.0.0.1")
    address = held.getsockname()
    with pytest.raises(OSError, match="in use"), socket.socket() as other:
        other.bind(address)
    others = [socket.create_server(("127.0.0.1", 0)) for _ in range(200)]
    assert address[1] not in {other.getsockname()[1] for other in others}
    for other in others:
        other.close()
    with socket.create_server(address), socket.create_connection(address):
        pass
    held.close()


@pytest.mark.parametrize("framework", ["process", "tensorflow"])
def test_a_program_that_is_not_python_becomes_the_rank(attempt, framework):
    script = 'echo "rank $RANK $1 ${TF_CONFIG:+told}"; exit 3\n'
    env = {"TRAINYARD_FRAMEWORK": framework}
    one = attempt(script, env=env, argv=["--no-python", "sh", "script.py", "argument"]).start()
    assert one.wait() == 0
    assert one.exit_of(0)["code"] == 3
    assert one.text(0).split() == ["rank", "0", "argument", *(["told"] if framework == "tensorflow" else [])]


def test_a_program_that_cannot_be_run_is_told_in_one_line(attempt):
    one = attempt("", env={"TRAINYARD_FRAMEWORK": "process"}, argv=["--no-python", "./none"]).start()
    one.wait()
    assert one.exit_of(0)["code"] == 127
    assert one.text(0, "stderr").startswith("trainyard: cannot run './none' in ")
    assert one.text(0, "stderr").count("\n") == 1


def test_programs_of_a_torch_gang_meet_and_their_signals_and_exit_codes_are_passed_on(attempt):
    script = 'trap "echo asked; exit 7" TERM; echo "$MASTER_ADDR $MASTER_PORT"; while :; do sleep 0.05; done\n'
    one = attempt(script, ranks=2, argv=["--no-python", "sh", "script.py"], torch=True, grace_ms=20_000).start()
    for rank in (0, 1):
        one.wait_for_text(rank, "\n")
    assert one.process is not None
    one.process.send_signal(signal.SIGTERM)
    assert one.wait() == 0
    store = one.json("rendezvous.json")
    for rank in (0, 1):
        assert one.text(rank) == f"127.0.0.1 {store['port']}\nasked\n", one.text(rank, "stderr")
        assert one.exit_of(rank)["code"] == 7
