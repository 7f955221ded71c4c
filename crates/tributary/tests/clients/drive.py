"""Drives a worker with three client libraries for Python, every command that they have at least once.

    drive.py http://HOST:PORT CONFIG.json

CONFIG.json is the configuration of a connector that can run. What a library gives back is checked, not only that it
did not fail. Ends with 0, or says which call went wrong.
"""

import json
import logging
import pathlib
import sys
import tempfile
import time

from click.testing import CliRunner
from kafka_connect.cli import cli as kc
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector
from kafkaconnect.cli import main as kafkaconnect

URL = sys.argv[1]
CONFIG = json.loads(pathlib.Path(sys.argv[2]).read_text())
CLASS = CONFIG["connector.class"]
PATIENCE = 60


def check(what, truth, shown=""):
    if not truth:
        raise SystemExit(f"{what}: {shown}")
    print(f"ok: {what}")


def becomes(what, look):
    """Waits until `look` gives something that is true."""
    end = time.monotonic() + PATIENCE
    while not (seen := look()):
        check(what, time.monotonic() < end, "it did not become so")
        time.sleep(0.1)
    return seen


def command(group, *arguments):
    """Runs a command of a command line as its user would; its last line, read as JSON where it is."""
    result = CliRunner().invoke(group, [str(argument) for argument in arguments])
    what = f"{group.name} {' '.join(map(str, arguments))}"[:120]
    check(what, result.exit_code == 0, f"{result.output} {result.exception!r}")
    text = result.output.strip()
    try:
        return json.loads(text)
    except ValueError:
        return text


def state(name):
    return command(kc, "-u", URL, "status", name)["connector"]["state"]


def runs(name):
    def look():
        status = command(kc, "-u", URL, "status", name)
        tasks = status["tasks"]
        return status if tasks and all(task["state"] == "RUNNING" for task in tasks) else None

    return becomes(f"{name} and its tasks run", look)


def kafka_connect_py():
    """kafka-connect-py, the command line `kc`."""

    def run(*arguments):
        return command(kc, "-u", URL, *arguments)

    check("version", run("info")["version"].startswith("3."))
    name = "kc"
    created = run("create", "-d", json.dumps({"name": name, "config": CONFIG}))
    check("created", created["name"] == name and created["type"] == "source", created)
    runs(name)
    check("listed", name in run("list"))
    check("listed with status", run("list", "-e", "status")[name]["status"]["name"] == name)
    check("listed with info", run("list", "-e", "info")[name]["info"]["config"]["name"] == name)
    check("listed by state", name in run("list", "-p", "k.*", "-s", "RUNNING"))
    check("get", run("get", name)["config"]["connector.class"] == CLASS)
    check("config", run("config", name)["name"] == name)
    check("update", run("update", name, "-d", json.dumps(CONFIG))["name"] == name)
    tasks = run("list-tasks", name)
    check("tasks", tasks[0]["id"] == {"connector": name, "task": 0}, tasks)
    check("task status", run("task-status", name, 0)["id"] == 0)
    run("restart-task", name, 0)
    runs(name)
    for flags in [(), ("-i",), ("-o",), ("-i", "-o")]:
        run("restart", name, *flags)
        runs(name)
    run("restart", "-a", "-p", "k.*")
    runs(name)
    check("topics", list(run("list-topics", name)) == [name])
    run("reset-topics", name)
    run("pause", name)
    becomes("paused", lambda: state(name) == "PAUSED")
    run("resume", name)
    runs(name)
    run("pause", "-a", "-p", "k.*")
    run("resume", "-a", "-p", "k.*")
    check("plugins", any(plugin["class"] == CLASS for plugin in run("list-plugins")))
    # It puts the configuration into a text of JSON: refused, and the worker goes on.
    twice = CliRunner().invoke(kc, ["-u", URL, "validate-config", CLASS, "-d", json.dumps(CONFIG)])
    check("validate, encoded twice", "400" in repr(twice.exception), twice.output)
    run("delete", name)
    check("deleted", name not in run("list"))
    run("create", "-d", json.dumps({"name": name, "config": CONFIG}))
    run("delete", "-a", "-p", "k.*")
    check("all deleted", name not in run("list"))


def kafkaconnect_tool():
    """kafkaconnect, a command line."""

    def run(*arguments):
        return command(kafkaconnect, "-c", URL, *arguments)

    with tempfile.TemporaryDirectory() as folder:

        def file(name, config):
            path = pathlib.Path(folder, name)
            path.write_text(json.dumps(config))
            return path

        source = file("ms.json", CONFIG)
        check("upload, dry", run("upload", source, "-n", "up", "--dry-run")["error_count"] == 0)
        run("upload", source, "-n", "up")
        runs("up")
        aliases = {key: value for key, value in CONFIG.items() if key not in ("topics", "connector.class")}
        mirror = "org.apache.kafka.connect.mirror"
        heartbeat = {"name": "hb", "connector.class": f"{mirror}.MirrorHeartbeatConnector", **aliases}
        heartbeat["heartbeats.topic.replication.factor"] = 1
        checkpoint = {"name": "cp", "connector.class": f"{mirror}.MirrorCheckpointConnector", **aliases}
        checkpoint["checkpoints.topic.replication.factor"] = 1
        three = ["-h", file("hb.json", heartbeat), "-c", file("cp.json", checkpoint), "-m", source]
        dry = run("create", "mirrormaker2", "-n", "mm", *three, "--dry-run")
        check("mirrormaker2, dry", str(dry).count('"error_count": 0') == 3, dry)
        run("create", "mirrormaker2", "-n", "mm", *three)
    made = {"mm-heartbeat", "mm-checkpoint", "mm-mirror-source"}
    check("mirrormaker2", made <= set(run("list")))
    for name in sorted(made):
        becomes(f"{name} runs", lambda name=name: state(name) == "RUNNING")
        run("delete", name)
    check("plugins", any(plugin["class"] == CLASS for plugin in run("plugins")))
    check("status", run("status", "up")["name"] == "up")
    check("info", run("info", "up")["name"] == "up")
    check("config", run("config", "up")["name"] == "up")
    check("tasks", run("tasks", "up")[0]["id"]["connector"] == "up")
    check("topics", list(run("topics", "up")) == ["up"])
    run("pause", "up")
    becomes("paused", lambda: state("up") == "PAUSED")
    run("resume", "up")
    runs("up")
    run("restart", "up")
    runs("up")
    run("delete", "up")
    check("deleted", "up" not in run("list"))
    check("what is not there", "not found" in run("status", "up"))


def kafka_connect_api():
    """kafka-connect-api, the library of a monitoring daemon."""
    cluster = Cluster(Api(url=URL))
    check("version", cluster.version.startswith("3."))
    check("cluster", cluster.kafka_cluster is None or isinstance(cluster.kafka_cluster, str))
    connector = Connector(cluster, "api")
    check("exists not", not exists(connector))
    connector.config = CONFIG
    runs("api")
    check("exists", exists(connector) and "api" in cluster.connectors)
    check("class", connector.connector_class == CLASS)
    check("state", connector.state == "RUNNING")
    check("tasks", [task.is_running() for task in connector.tasks] != [])
    connector.tasks[0].restart()
    runs("api")
    connector.restart()
    runs("api")
    connector.restart_all_tasks()
    runs("api")
    connector.pause()
    becomes("paused", lambda: connector.state == "PAUSED")
    connector.resume()
    runs("api")
    connector.cycle_connector()
    runs("api")
    check("loggers", "root" in cluster.loggers)
    level = cluster.root_logger["level"]
    cluster.root_logger = "WARN"
    check("root logger", cluster.root_logger["level"] == "WARN")
    cluster.root_logger = level
    logger = next(name for name in cluster.loggers if name != "root")
    check("set logger", logger in cluster.set_logger_log_level(logger, "ERROR"))
    connector.delete()
    check("deleted", "api" not in cluster.connectors)


def exists(connector):
    try:
        return connector.exists()
    except Exception as error:  # The library raises where it means to return False.
        return "404" not in repr(error) and "not found" not in repr(error)


if __name__ == "__main__":
    logging.disable()
    for part in (kafka_connect_py, kafkaconnect_tool, kafka_connect_api):
        print(f"== {part.__doc__}")
        part()
