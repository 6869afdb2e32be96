"""What users of docker-py do, as they write it. DOCKER_HOST says where the engine is."""

import io
import socket
import tarfile
import threading
import time
import unittest

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound
from docker.types import Healthcheck, IPAMConfig, IPAMPool, LogConfig, Mount

IMAGE = "busybox"
FOREVER = ["sleep", "600"]


def tar_of(**files):
    """An archive of texts, by their names with `_` for the dot."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("_", "."))
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return archive.getvalue()


class Story(unittest.TestCase):
    def setUp(self):
        self.client = docker.from_env(timeout=20)
        self.addCleanup(self.client.close)

    def run_forever(self, name=None, **options):
        container = self.client.containers.run(IMAGE, FOREVER, name=name, detach=True, **options)
        self.addCleanup(container.remove, force=True, v=True)
        return container

    def create_network(self, name, **options):
        network = self.client.networks.create(name, **options)
        self.addCleanup(network.remove)
        return network


class Daemon(Story):
    def test_answers_in_both_ways_to_agree_on_a_version(self):
        self.assertTrue(self.client.ping())
        self.assertEqual(self.client.api._version, self.client.version()["ApiVersion"])
        older = docker.from_env(version="1.35")
        self.addCleanup(older.close)
        self.assertEqual(older.containers.run(IMAGE, "echo hello", remove=True), b"hello\n")
        self.assertEqual(older.info()["OSType"], "linux")

    def test_tells_events_as_they_happen_and_from_the_past(self):
        since = int(time.time()) - 1
        events = self.client.events(decode=True, filters={"type": "container", "event": ["create", "destroy"]})
        seen = []
        reader = threading.Thread(
            target=lambda: seen.extend(event["Action"] for _, event in zip(range(2), events))
        )
        reader.start()
        self.client.containers.run(IMAGE, "true", name="told", remove=True)
        reader.join(10)
        events.close()
        self.assertEqual(seen, ["create", "destroy"])
        past = self.client.events(
            decode=True, since=since, until=int(time.time()) + 1, filters={"container": "told"}
        )
        self.assertIn("die", [event["Action"] for event in past])

    def test_is_told_apart_from_a_swarm(self):
        with self.assertRaises(APIError) as caught:
            self.client.services.list()
        self.assertEqual(caught.exception.status_code, 503)
        self.assertIn("not a swarm manager", caught.exception.explanation)


class Containers(Story):
    def test_run_returns_output_and_raises_on_failure(self):
        self.assertEqual(self.client.containers.run(IMAGE, "echo hello", remove=True), b"hello\n")
        output = self.client.containers.run(
            IMAGE, ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True
        )
        self.assertEqual(sorted(output.split()), [b"err", b"out"])
        with self.assertRaises(ContainerError) as caught:
            self.client.containers.run(IMAGE, ["sh", "-c", "echo oops >&2; exit 3"], remove=True)
        self.assertEqual((caught.exception.exit_status, caught.exception.stderr), (3, b"oops\n"))

    def test_options_reach_the_container(self):
        container = self.run_forever(
            "optional",
            environment={"COLOUR": "blue"},
            labels={"tier": "test"},
            hostname="box",
            user="www",
            working_dir="/tmp",
            mem_limit="32m",
            tmpfs={"/scratch": "size=1m"},
            extra_hosts={"elsewhere": "192.0.2.7"},
            cap_add=["NET_ADMIN"],
            ports={"80/tcp": ("127.0.0.1", 8080), "81/tcp": None},
            log_config=LogConfig(type=LogConfig.types.JSON),
        )
        code, output = container.exec_run(
            ["sh", "-c", "echo $COLOUR $(id -un) $(pwd) $(hostname); grep -c elsewhere /etc/hosts"]
        )
        self.assertEqual((code, output), (0, b"blue www /tmp box\n1\n"))
        self.assertEqual(container.status, "created")
        container.reload()
        self.assertEqual((container.status, container.labels), ("running", {"tier": "test"}))
        self.assertEqual(container.ports["80/tcp"], [{"HostIp": "127.0.0.1", "HostPort": "8080"}])
        self.assertTrue(container.ports["81/tcp"][0]["HostPort"].isdigit())
        self.assertEqual(container.attrs["HostConfig"]["Memory"], 32 << 20)
        self.assertEqual(container.image.tags, ["busybox:latest"])

    def test_exec_run_in_every_form(self):
        container = self.run_forever()
        command = ["sh", "-c", "echo out; echo err >&2; exit 5"]
        self.assertEqual(container.exec_run(command, demux=True), (5, (b"out\n", b"err\n")))
        code, output = container.exec_run("env", environment={"MOOD": "good"}, user="www", workdir="/tmp")
        self.assertIn(b"MOOD=good\n", output)
        self.assertEqual(b"".join(container.exec_run("echo piece by piece", stream=True).output), b"piece by piece\n")
        self.assertEqual(container.exec_run("tty", tty=True).output, b"/dev/pts/0\r\n")
        _, stream = container.exec_run("cat", stdin=True, socket=True)
        stream._sock.sendall(b"through a socket\n")
        stream._sock.shutdown(socket.SHUT_WR)
        self.assertEqual(stream.read(1024)[8:], b"through a socket\n")
        stream.close()

    def test_attach_socket_carries_both_directions(self):
        container = self.client.containers.create(IMAGE, "cat", stdin_open=True, name="cat")
        self.addCleanup(container.remove, force=True)
        stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        container.start()
        stream._sock.sendall(b"echoed\n")
        head = stream.read(8)
        self.assertEqual(head, b"\x01\0\0\0\0\0\0\x07")
        self.assertEqual(stream.read(7), b"echoed\n")
        stream.close()
        container.kill()
        self.assertEqual(container.wait()["StatusCode"], 137)

    def test_logs_at_once_and_as_they_come(self):
        script = "for i in 1 2 3; do echo line $i; done; exec sleep 600"
        container = self.client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
        self.addCleanup(container.remove, force=True)
        follower = container.logs(stream=True, follow=True)
        self.assertEqual([next(follower) for _ in range(3)], [b"line 1\n", b"line 2\n", b"line 3\n"])
        self.assertEqual(container.logs(tail=1), b"line 3\n")
        self.assertRegex(container.logs(timestamps=True, tail=1), rb"^\d{4}-\S+Z line 3\n$")
        self.assertEqual(container.logs(since=int(time.time()) + 60), b"")
        follower.close()

    def test_lifecycle(self):
        container = self.run_forever("first")
        container.rename("second")
        self.assertEqual(self.client.containers.get("second").id, container.id)
        container.restart(timeout=0)
        container.stop(timeout=0)
        self.assertEqual(container.wait()["StatusCode"], 137)
        container.reload()
        self.assertEqual(container.status, "exited")
        listed = self.client.containers.list(all=True, filters={"name": "second", "status": "exited"})
        self.assertEqual(listed, [container])
        self.assertEqual(self.client.containers.list(filters={"name": "second"}), [])
        container.start()
        container.kill("SIGKILL")
        self.assertEqual(container.wait(condition="not-running")["StatusCode"], 137)

    def test_pause_and_update(self):
        container = self.run_forever()
        container.pause()
        container.reload()
        self.assertEqual(container.status, "paused")
        with self.assertRaises(APIError) as caught:
            container.exec_run("true")
        self.assertEqual(caught.exception.status_code, 409)
        container.unpause()
        container.update(mem_limit="64m", memswap_limit="64m", restart_policy={"Name": "unless-stopped"})
        container.reload()
        self.assertEqual(container.attrs["HostConfig"]["Memory"], 64 << 20)
        self.assertEqual(container.attrs["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped")

    def test_top_and_stats(self):
        container = self.run_forever()
        processes = container.top()
        self.assertIn("CMD", processes["Titles"])
        self.assertEqual([row[-1] for row in processes["Processes"]], ["sleep 600"])
        once = container.stats(stream=False)
        self.assertGreater(once["memory_stats"]["usage"], 0)
        self.assertIn("eth0", once["networks"])
        stream = container.stats(decode=True)
        self.assertEqual(next(stream)["name"], "/" + container.name)
        stream.close()

    def test_health(self):
        check = Healthcheck(test=["CMD", "true"], interval=200_000_000, retries=3)
        container = self.run_forever(healthcheck=check)
        deadline = time.monotonic() + 10
        while container.attrs["State"].get("Health", {}).get("Status") != "healthy":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
            container.reload()

    def test_files_go_in_and_come_out(self):
        container = self.run_forever()
        self.assertTrue(container.put_archive("/tmp", tar_of(a_txt=b"first\n", b_txt=b"second\n")))
        self.assertEqual(container.exec_run("cat /tmp/a.txt /tmp/b.txt").output, b"first\nsecond\n")
        pieces, stat = container.get_archive("/tmp/a.txt")
        self.assertEqual((stat["name"], stat["size"]), ("a.txt", 6))
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
            self.assertEqual(tar.extractfile("a.txt").read(), b"first\n")
        self.assertIn({"Path": "/tmp/a.txt", "Kind": 1}, container.diff())
        with tarfile.open(fileobj=io.BytesIO(b"".join(container.export()))) as tar:
            self.assertIn("tmp/b.txt", tar.getnames())
        with self.assertRaises(NotFound):
            container.get_archive("/nope")

    def test_commit(self):
        container = self.run_forever()
        container.exec_run("touch /made")
        image = container.commit(repository="committed", tag="1", message="a change", author="somebody")
        self.addCleanup(self.client.images.remove, "committed:1", force=True)
        self.assertEqual(self.client.containers.run(image, "ls /made", remove=True), b"/made\n")

    def test_prune(self):
        self.client.containers.create(IMAGE, "true", labels={"pruned": "yes"})
        pruned = self.client.containers.prune(filters={"label": "pruned"})
        self.assertEqual(len(pruned["ContainersDeleted"]), 1)

    def test_errors_are_mapped(self):
        with self.assertRaises(NotFound) as caught:
            self.client.containers.get("nope")
        self.assertEqual(caught.exception.explanation, "No such container: nope")
        with self.assertRaises(ImageNotFound):
            self.client.containers.create("nope:1", "true")
        with self.assertRaises(ImageNotFound):
            self.client.images.get("nope")
        container = self.run_forever("taken")
        with self.assertRaises(APIError) as caught:
            self.client.containers.create(IMAGE, "true", name="taken")
        self.assertEqual(caught.exception.status_code, 409)
        self.assertTrue(caught.exception.is_client_error())
        with self.assertRaises(APIError) as caught:
            container.remove()
        self.assertEqual(caught.exception.status_code, 409)
        with self.assertRaises(APIError) as caught:
            self.client.containers.run(IMAGE, "no-such-program", name="unstartable")
        self.assertEqual(caught.exception.status_code, 400)
        self.client.containers.get("unstartable").remove()


class Networks(Story):
    def test_create_connect_and_remove(self):
        pool = IPAMPool(subnet="10.77.0.0/24", gateway="10.77.0.254", iprange="10.77.0.128/25")
        network = self.create_network("shop", ipam=IPAMConfig(pool_configs=[pool]), labels={"team": "a"})
        self.assertEqual(network.attrs["IPAM"]["Config"][0]["Gateway"], "10.77.0.254")
        server = self.run_forever("server", network="shop")
        network.reload()
        self.assertEqual(network.containers, [server])
        client = self.run_forever("client")
        network.connect(client, aliases=["front"], ipv4_address="10.77.0.9")
        code, output = server.exec_run("getent hosts front")
        self.assertEqual((code, output.split()[0]), (0, b"10.77.0.9"))
        self.assertEqual(self.client.networks.list(filters={"label": "team=a"}), [network])
        self.assertEqual(self.client.networks.list(names=["shop"], greedy=True)[0].containers[0].name[:1] in "sc", True)
        network.disconnect(client)
        with self.assertRaises(APIError) as caught:
            network.remove()
        self.assertEqual(caught.exception.status_code, 403)
        server.stop(timeout=0)

    def test_errors_and_prune(self):
        self.create_network("taken")
        with self.assertRaises(APIError) as caught:
            self.client.networks.create("taken", check_duplicate=True)
        self.assertEqual(caught.exception.status_code, 409)
        with self.assertRaises(NotFound):
            self.client.networks.get("nope")
        self.client.networks.create("idle", labels={"pruned": "yes"})
        self.assertEqual(
            self.client.networks.prune(filters={"label": "pruned"})["NetworksDeleted"], ["idle"]
        )


class Volumes(Story):
    def test_a_volume_outlives_its_containers(self):
        volume = self.client.volumes.create("kept", labels={"team": "a"})
        self.addCleanup(volume.remove)
        self.client.containers.run(
            IMAGE, ["sh", "-c", "echo kept > /data/file"], volumes={"kept": {"bind": "/data"}}, remove=True
        )
        mount = Mount(target="/data", source="kept", type="volume", read_only=True)
        self.assertEqual(
            self.client.containers.run(IMAGE, "cat /data/file", mounts=[mount], remove=True), b"kept\n"
        )
        self.assertEqual(self.client.volumes.list(filters={"label": "team=a"}), [volume])
        self.assertEqual(self.client.volumes.get("kept").attrs["Driver"], "local")
        with self.assertRaises(NotFound):
            self.client.volumes.get("nope")
        self.assertIsInstance(self.client.df()["Volumes"], list)


class Images(Story):
    def test_load_tag_list_and_remove(self):
        with open("loaded.tar", "rb") as archive:
            (image,) = self.client.images.load(archive)
        self.assertEqual(image.tags, ["loaded:1"])
        self.assertTrue(image.tag("team/loaded", tag="2"))
        image.reload()
        self.assertEqual(sorted(image.tags), ["loaded:1", "team/loaded:2"])
        self.assertEqual(self.client.images.list(name="team/loaded"), [image])
        self.assertEqual(self.client.containers.run("team/loaded:2", remove=True), b"from an archive\n")
        self.assertEqual(image.history()[0]["Id"], image.id)
        self.client.images.remove("team/loaded:2")
        self.client.images.remove("loaded:1")
        with self.assertRaises(ImageNotFound):
            self.client.images.get("loaded:1")

    def test_save(self):
        saved = b"".join(self.client.images.get(IMAGE).save(named=True))
        with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
            self.assertIn("manifest.json", tar.getnames())


if __name__ == "__main__":
    unittest.main(verbosity=2)
