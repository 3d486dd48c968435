"""The files of deploy/: each is run here, or held against the program and the tools that read it."""

import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from program import Program
from server_process import Server, serving, wait_until

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TINY = ROOT / "tests" / "data" / "contract" / "paged"


def run(*command: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, check=False, **options)


@pytest.fixture(scope="module")
def server(quire: Program) -> Any:
    with serving(quire.binary, TINY) as running:
        yield running


def status_of(port: int, path: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("GET", path)
    status = client.getresponse().status
    client.close()
    return status


# --- Containers ---


def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile and what they are given."""
    lines = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line and not line.startswith("#")]


def test_the_dockerfile_copies_what_is_there_and_starts_what_the_program_takes(quire: Program) -> None:
    steps = dockerfile()
    assert steps[0] == ("FROM", "scratch"), "nothing but the program"
    allowed = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
    for name, words in steps:
        for source in words.split()[:-1] if name == "COPY" else []:
            assert f"!{source}" in allowed
            assert source == "build/static/quire" or (ROOT / source).is_file()
    given = dict(steps)
    assert json.loads(given["ENTRYPOINT"]) == ["/usr/bin/quire"]
    assert given["USER"].split(":")[0] != "0"
    # Without a model and keys the command gets as far as missing them: it knows every option.
    command = json.loads(given["CMD"])
    done = run(quire.binary, *command, env={"QUIRE_MODEL": "/nowhere"})
    assert done.returncode in (1, 3), done


# --- systemd ---


def test_systemd_reads_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "quire.service"
    text = (DEPLOY / "systemd" / "quire.service").read_text(encoding="utf-8")
    # verify wants the program where the unit has it, and the manual page installed.
    unit.write_text(text.replace("ExecStart=/usr/bin/quire", "ExecStart=/bin/true").replace("Documentation=man:quire(1)\n", ""))
    verified = run("systemd-analyze", "verify", "--man=no", unit)
    assert (verified.returncode, verified.stderr) == (0, "")
    score = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit).stdout
    level = re.search(r"Overall exposure level for quire.service: ([0-9.]+)", score)
    assert level and float(level[1]) <= 1.5, score[-200:]


def test_the_unit_starts_what_the_program_takes(quire: Program) -> None:
    text = (DEPLOY / "systemd" / "quire.service").read_text(encoding="utf-8")
    command = shlex.split(re.search(r"^ExecStart=/usr/bin/quire (.*)$", text, re.MULTILINE)[1])
    done = run(quire.binary, *command, env={"QUIRE_MODEL": "/nowhere"})
    assert done.returncode in (1, 3) and "/nowhere" in done.stderr, done


# --- Prometheus and Grafana ---


def test_the_dashboard_asks_for_metrics_and_labels_that_the_server_has(server: Server) -> None:
    server.post("/v1/completions", {"prompt": [5, 6, 7], "max_tokens": 2})
    assert server.request("GET", "/nowhere")[0] == 404
    page = server.request("GET", "/metrics")[2]
    have: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^([a-z0-9_:]+)(?:{(.*)})? \S+$", page, re.MULTILINE):
        have.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    board = json.loads((DEPLOY / "compose/grafana/dashboards/quire.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(queries) >= 12
    # Of what happens only when something goes wrong the page shows no sample, but the metric is known.
    declared = set(re.findall(r"^# TYPE ([a-z0-9_:]+) ", page, re.MULTILINE))
    for query in [*queries, board["templating"]["list"][0]["query"]]:
        for name in re.findall(r"(?:vllm|quire)[:_][a-z0-9_:]+", query):
            known = name in have or name in declared or name.removesuffix("_bucket") in declared
            assert known, f"{name} in {query}"
        for name, label in re.findall(r"(vllm:[a-z0-9_]+){(\w+)", query):
            assert label in have.get(name, {label}), query
        for label, name in re.findall(r"by \((\w+)\) \((?:rate\()?((?:vllm|quire)[a-z0-9_:]+)", query):
            assert label in have.get(name, {label, "le"}) or label == "le", query


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret")
    text = (DEPLOY / "compose" / "prometheus.yml").read_text(encoding="utf-8")
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("/run/secrets/scrape_key", str(key)))
    done = run("promtool", "check", "config", config)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_names_files_that_are_there_and_its_own_services() -> None:
    folder = DEPLOY / "compose"
    compose = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
    build = compose["services"]["quire"]["build"]
    assert (folder / build["context"] / build["dockerfile"]).is_file()
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith("./") or (folder / source).exists(), source
        for secret in service.get("secrets", []):
            assert secret["source"] in compose["secrets"]
    # Both published on this machine alone.
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    scrape = yaml.safe_load((folder / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][0]
    host, port = scrape["static_configs"][0]["targets"][0].split(":")
    assert host in compose["services"] and f'"{port}"' in dict(dockerfile())["CMD"]
    for file in (folder / "grafana" / "provisioning").rglob("*.yaml"):
        assert yaml.safe_load(file.read_text(encoding="utf-8"))["apiVersion"] == 1


# --- Kubernetes ---


def test_the_manifests_probe_what_answers_and_outlive_the_drain(quire: Program, server: Server) -> None:
    documents = {
        document["kind"]: document
        for document in yaml.safe_load_all((DEPLOY / "kubernetes" / "quire.yaml").read_text(encoding="utf-8"))}
    pod = documents["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (documents["Deployment"]["spec"]["selector"]["matchLabels"],
                     documents["Service"]["spec"]["selector"],
                     documents["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    assert documents["Service"]["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert status_of(server.port, container[probe]["httpGet"]["path"]) == 200
    arguments = container["args"]
    drain = int(arguments[arguments.index("--shutdown-timeout") + 1])
    assert pod["terminationGracePeriodSeconds"] >= drain + 10
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    done = run(quire.binary, *arguments, env={"QUIRE_MODEL": "/nowhere"})
    assert done.returncode in (1, 3), done


# --- HAProxy ---


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_servers_behind_haproxy_answer_while_one_is_killed_and_comes_back(quire: Program, tmp_path: Path) -> None:
    front = free_port()
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8")

    def ask(client: int) -> int:
        """The status of one answer through HAProxy, for a client with a key of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", front, timeout=30)
        connection.request("POST", "/v1/completions", json.dumps({"prompt": [5, 6, 7], "max_tokens": 4}),
                           {"Content-Type": "application/json", "Authorization": f"Bearer key-{client}"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status != 200 or json.loads(body)["usage"]["completion_tokens"] == 4
        connection.close()
        return answer.status

    with serving(quire.binary, TINY) as one, serving(quire.binary, TINY) as two:
        for old, new in ((8088, front), (8081, one.port), (8082, two.port)):
            assert f":{old}" in text
            text = text.replace(f":{old}", f":{new}")
        config = tmp_path / "haproxy.cfg"
        config.write_text(text)
        assert run("haproxy", "-c", "-f", config).returncode == 0
        proxy = subprocess.Popen(["haproxy", "-db", "-f", config], stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: _answers(front), "HAProxy answers")
            assert [ask(client) for client in range(20)] == [200] * 20
            assert min(one.metric("vllm:request_success_total"), two.metric("vllm:request_success_total")) >= 1
            os.kill(one.process.pid, signal.SIGKILL)
            one.process.wait()
            assert [ask(client) for client in range(20)] == [200] * 20
            # One that drains is left by the proxy before it goes.
            with serving(quire.binary, TINY, port=one.port) as again:
                wait_until(lambda: _served_by(again, ask), "the first server gets requests again")
                two.process.send_signal(signal.SIGTERM)
                assert two.process.wait(30) == 0
                assert [ask(client) for client in range(20)] == [200] * 20
        finally:
            proxy.kill()
            proxy.wait()


def _answers(port: int) -> bool:
    try:
        return status_of(port, "/health/ready") == 200
    except OSError:
        return False


def _served_by(server: Server, ask: Any) -> bool:
    assert all(ask(client) == 200 for client in range(10))
    return server.metric("vllm:request_success_total") >= 1


# --- Completions, manual pages, package ---


def help_flags(quire: Program, command: str) -> set[str]:
    """The long and short options that --help has."""
    text = run(quire.binary, command, "--help").stdout
    return set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.MULTILINE))


def help_commands(quire: Program) -> list[str]:
    text = run(quire.binary, "--help").stdout
    return re.findall(r"^  (\w+) {4,}", text.split("Subcommands:")[1], re.MULTILINE)


def completed_by(shell: str, script: str, line: str) -> list[str]:
    """What a shell offers at the end of a line."""
    if shell == "fish":
        done = run("fish", "--no-config", "-c", f"{script}\ncomplete -C {shlex.quote(line)}")
        assert done.returncode == 0, done.stderr
        return [word.split("\t")[0] for word in done.stdout.splitlines()]
    words = line.split(" ")
    done = run("bash", "--norc", "-c", f"{script}\nCOMP_WORDS=({shlex.join(words[:-1])} {shlex.quote(words[-1])})\n"
               f"COMP_CWORD={len(words) - 1}\n_quire\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"")
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_shell_completes_every_command_and_every_option(quire: Program, shell: str) -> None:
    script = run(quire.binary, "completion", shell).stdout
    commands = help_commands(quire)
    assert len(commands) >= 12 and set(commands) <= set(completed_by(shell, script, "quire "))
    for command in commands:
        offered = set(completed_by(shell, script, f"quire {command} --"))
        assert help_flags(quire, command) <= offered, command
    assert completed_by(shell, script, "quire serve --log-format ") == ["json", "text"] or \
        completed_by(shell, script, "quire serve --log-format ") == ["text", "json"]
    assert completed_by(shell, script, "quire se") == ["serve"]


def test_zsh_reads_its_completion_and_finds_every_option_in_it(quire: Program) -> None:
    script = run(quire.binary, "completion", "zsh").stdout
    loaded = run("zsh", "-f", "-c", f"autoload -U compinit; compinit -u -D\n{script}\nprint $_comps[quire]")
    assert (loaded.returncode, loaded.stdout.strip(), loaded.stderr) == (0, "_quire", "")
    for command in help_commands(quire):
        part = script.split(f"\n    {command})\n")[1].split(";;")[0]
        assert help_flags(quire, command) <= set(re.findall(r"--[\w-]+", part)), command


def test_a_shell_that_is_not_known_is_refused(quire: Program) -> None:
    done = run(quire.binary, "completion", "tcsh")
    assert done.returncode == 2 and "bash" in done.stderr and done.stdout == ""


def test_the_manual_pages_have_every_command_and_option_and_groff_has_no_complaint(quire: Program, tmp_path: Path) -> None:
    done = run("python3", DEPLOY / "make_man.py", quire.binary, tmp_path)
    assert done.returncode == 0, done.stderr
    commands = help_commands(quire)
    assert {page.name for page in tmp_path.iterdir()} == {"quire.1", *(f"quire-{name}.1" for name in commands)}
    for command in commands:
        shown = run("man", "--warnings", "-l", tmp_path / f"quire-{command}.1", env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8"})
        assert (shown.returncode, shown.stderr) == (0, "")
        for flag in help_flags(quire, command):
            assert flag in shown.stdout, (command, flag)


def test_the_debian_package_holds_the_program_its_manual_completions_and_unit(quire: Program, tmp_path: Path) -> None:
    done = run("bash", DEPLOY / "debian" / "build.sh", quire.binary, tmp_path)
    assert done.returncode == 0, done.stderr
    [package] = tmp_path.glob("quire_*_*.deb")
    fields = run("dpkg-deb", "--field", package).stdout
    version = run(quire.binary, "--version").stdout.split()[1]
    assert f"Version: {version}\n" in fields and re.search(r"^Architecture: (amd64|arm64)$", fields, re.MULTILINE)
    root = tmp_path / "root"
    assert run("dpkg-deb", "-x", package, root).returncode == 0
    for path in ("usr/bin/quire", "usr/share/man/man1/quire.1.gz", "usr/share/man/man1/quire-serve.1.gz",
                 "usr/share/bash-completion/completions/quire", "usr/share/zsh/vendor-completions/_quire",
                 "usr/share/fish/vendor_completions.d/quire.fish", "lib/systemd/system/quire.service",
                 "usr/share/doc/quire/copyright"):
        assert (root / path).is_file(), path
    inside = run(root / "usr/bin/quire", "--version", env={"PATH": "/usr/bin:/bin"})
    assert inside.stdout.split()[1] == version
    assert shutil.which("lintian") is None or run("lintian", "--fail-on", "error", package).returncode == 0
