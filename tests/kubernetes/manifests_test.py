#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/kubernetes rendered by Kustomize, checked against Kubernetes' own schemas and against itself.

What a schema cannot see is checked here: selectors find their pods, services their ports, volumes their claims, images
are pinned, and the programs know the flags. Usage: manifests_test.py SOURCE_DIR [BIN_DIR]
"""
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

SOURCE = Path(sys.argv[1]).resolve()
BIN = Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
PACKAGES = ["kubernetes-validate==1.37.0", "PyYAML==6.0.3"]
SITE = SOURCE / ".cache" / "kubernetes-validate"


def install_validator():
    """Into a folder of the project that git ignores; quick when nothing changed."""
    stamp = SITE / ".installed"
    want = " ".join([*PACKAGES, sys.version])
    if not (stamp.exists() and stamp.read_text() == want):
        shutil.rmtree(SITE, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--target", str(SITE), *PACKAGES], check=True)
        stamp.write_text(want)
    sys.path.insert(0, str(SITE))


def render(folder):
    if shutil.which("kustomize"):
        command = ["kustomize", "build", str(folder)]
    elif shutil.which("kubectl"):
        command = ["kubectl", "kustomize", str(folder)]
    else:
        raise SystemExit("neither kustomize nor kubectl is installed (Debian: apt-get install kubernetes-client)")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


install_validator()
import kubernetes_validate  # noqa: E402
import yaml  # noqa: E402

RESOURCES = list(yaml.safe_load_all(render(SOURCE / "deploy" / "kubernetes" / "base")))
ON_GPUS = list(yaml.safe_load_all(render(SOURCE / "deploy" / "kubernetes" / "gpu")))
SECURE = list(yaml.safe_load_all(render(SOURCE / "deploy" / "kubernetes" / "secure")))
VERSIONS = ["1.28", "1.32", "1.37"]


def of_kind(kind):
    return [r for r in RESOURCES if r["kind"] == kind]


def pods():
    return {r["metadata"]["name"]: r["spec"]["template"] for r in of_kind("StatefulSet")}


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


class ManifestsTest(unittest.TestCase):
    def test_every_resource_obeys_the_schema_and_unknown_fields_are_found(self):
        for version in VERSIONS:
            for resource in RESOURCES + ON_GPUS + SECURE:
                kubernetes_validate.validate(resource, version, strict=True)
        wrong = yaml.safe_load(yaml.safe_dump(of_kind("StatefulSet")[0]))
        wrong["spec"]["replica"] = 1
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)

    def test_the_promised_parts_are_there_in_one_namespace(self):
        names = {(r["kind"], r["metadata"]["name"]) for r in RESOURCES}
        for part in [("StatefulSet", "ridgeline-coordinator"), ("StatefulSet", "ridgeline-worker"),
                     ("Service", "ridgeline-coordinator"), ("PersistentVolumeClaim", "ridgeline-work"),
                     ("NetworkPolicy", "ridgeline-coordinator")]:
            self.assertIn(part, names)
        self.assertEqual({r["metadata"].get("namespace") for r in RESOURCES if r["kind"] != "Namespace"}, {"ridgeline"})

    def test_selectors_find_pods_and_services_find_ports(self):
        for stateful in of_kind("StatefulSet"):
            spec = stateful["spec"]
            self.assertTrue(matches(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]))
            self.assertIn(spec["serviceName"], [s["metadata"]["name"] for s in of_kind("Service")])
        for service in of_kind("Service"):
            found = [p for p in pods().values() if matches(service["spec"]["selector"], p["metadata"]["labels"])]
            self.assertEqual(len(found), 1, service["metadata"]["name"])
            ports = {p["name"] for c in found[0]["spec"]["containers"] for p in c.get("ports", [])}
            for port in service["spec"].get("ports", []):
                self.assertIn(port["targetPort"], ports)
        for policy in of_kind("NetworkPolicy"):
            selector = policy["spec"]["podSelector"]["matchLabels"]
            self.assertTrue(any(matches(selector, p["metadata"]["labels"]) for p in pods().values()), selector)

    def test_workers_may_reach_the_coordinator_and_strangers_may_not(self):
        policy = next(p for p in of_kind("NetworkPolicy") if p["metadata"]["name"] == "ridgeline-coordinator")
        grpc = next(rule for rule in policy["spec"]["ingress"] if rule["ports"][0]["port"] == 7117)
        allowed = grpc["from"][0]["podSelector"]["matchLabels"]
        self.assertTrue(matches(allowed, pods()["ridgeline-worker"]["metadata"]["labels"]))
        self.assertFalse(matches(allowed, {"app": "stranger"}))

    def test_volumes_have_their_claims_and_mounts_their_volumes(self):
        claims = {c["metadata"]["name"] for c in of_kind("PersistentVolumeClaim")}
        for stateful in of_kind("StatefulSet"):
            pod = stateful["spec"]["template"]["spec"]
            volumes = {v["name"] for v in pod.get("volumes", [])}
            volumes |= {t["metadata"]["name"] for t in stateful["spec"].get("volumeClaimTemplates", [])}
            for volume in pod.get("volumes", []):
                if "persistentVolumeClaim" in volume:
                    self.assertIn(volume["persistentVolumeClaim"]["claimName"], claims)
            for container in pod["containers"]:
                self.assertLessEqual({m["name"] for m in container["volumeMounts"]}, volumes)

    def test_containers_are_pinned_and_confined(self):
        for pod in pods().values():
            self.assertTrue(pod["spec"]["securityContext"]["runAsNonRoot"])
            self.assertGreaterEqual(pod["spec"]["terminationGracePeriodSeconds"], 30)
            for container in pod["spec"]["containers"]:
                image, _, tag = container["image"].partition(":")
                self.assertTrue(tag and tag != "latest", container["image"])
                self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
                self.assertIn("requests", container["resources"])

    def test_the_coordinator_is_probed_on_its_grpc_port(self):
        container = pods()["ridgeline-coordinator"]["spec"]["containers"][0]
        ports = {p["containerPort"] for p in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            self.assertIn(container[probe]["grpc"]["port"], ports)


def stages():
    """Of the container file, by name: what each starts from and copies from."""
    found, name = {}, None
    for line in (SOURCE / "deploy" / "container" / "Dockerfile").read_text().splitlines():
        if line.startswith("FROM "):
            _, source, _, name = line.split()
            found[name] = [source]
        elif line.startswith("COPY --from="):
            found[name].append(line.split()[1].removeprefix("--from="))
    return found


class ContainerFileTest(unittest.TestCase):
    def test_stages_are_made_of_stages_before_them_or_of_pinned_images(self):
        self.assertLessEqual({"coordinator", "worker", "cuda"}, set(stages()))
        before = set()
        for name, sources in stages().items():
            for source in sources:
                _, _, tag = source.partition(":")
                self.assertTrue(source in before or (tag and tag != "latest"), f"{name} from {source}")
            before.add(name)

    def test_scripts_that_a_stage_runs_before_the_tree_is_copied_are_there(self):
        text = (SOURCE / "deploy" / "container" / "Dockerfile").read_text()
        sourced = {line.split("/")[-1].strip('"') for line in (SOURCE / "tools" / "deps.sh").read_text().splitlines()
                   if line.startswith("source ")}
        self.assertTrue(sourced)
        for copied in [line for line in text.splitlines() if line.startswith("COPY tools/")]:
            for script in sourced:
                self.assertIn(f"tools/{script}", copied)


class WorkersCommandTest(unittest.TestCase):
    def test_pods_and_images_start_ranks_by_the_script_that_is_in_the_image(self):
        command = pods()["ridgeline-worker"]["spec"]["containers"][0]["command"]
        self.assertEqual(command, ["ridgeline-mpirun"])
        script = SOURCE / "deploy" / "container" / command[0]
        self.assertTrue(script.stat().st_mode & 0o111)
        text = (SOURCE / "deploy" / "container" / "Dockerfile").read_text()
        self.assertIn(f"COPY deploy/container/{command[0]} /usr/local/bin/", text)
        self.assertEqual(text.count('ENTRYPOINT ["ridgeline-mpirun"]'), 2)


def worker_of(resources):
    return next(r for r in resources if r["kind"] == "StatefulSet" and r["metadata"]["name"] == "ridgeline-worker")


class SecureTest(unittest.TestCase):
    def setUp(self):
        self.pods = {r["metadata"]["name"]: r["spec"]["template"]["spec"] for r in SECURE if r["kind"] == "StatefulSet"}
        self.coordinator = self.pods["ridgeline-coordinator"]["containers"][0]
        self.worker = self.pods["ridgeline-worker"]["containers"][0]

    def test_the_coordinator_has_tls_and_asks_for_tokens(self):
        self.assertIn("--require-tokens", self.coordinator["args"])
        for flag in ("--tls-cert=", "--tls-key="):
            self.assertTrue(any(argument.startswith(flag) for argument in self.coordinator["args"]), flag)

    def test_probes_do_not_use_grpc_which_would_want_no_tls(self):
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            self.assertEqual(self.coordinator[probe]["httpGet"]["path"], "/metrics")
            self.assertNotIn("grpc", self.coordinator[probe])

    def test_files_lie_in_secrets_that_only_owner_and_group_read(self):
        named = [a.split("=", 1)[1] for a in self.coordinator["args"] if a.startswith("--tls-")]
        named += [e["value"] for e in self.worker["env"] if e["name"] in ("RIDGELINE_TLS_CA", "RIDGELINE_TOKEN_FILE")]
        self.assertEqual(len(named), 4)
        for name, pod in self.pods.items():
            mounts = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
            for volume in pod["volumes"]:
                if "secret" not in volume:
                    continue
                self.assertEqual(volume["secret"]["defaultMode"] & 0o007, 0, name)
                named = [path for path in named if not path.startswith(mounts[volume["name"]] + "/")]
        self.assertEqual(named, [])

    def test_no_secret_is_in_the_manifests_and_the_worker_has_no_private_key(self):
        self.assertEqual([r for r in SECURE if r["kind"] == "Secret"], [])
        tls = next(v for v in self.pods["ridgeline-worker"]["volumes"] if v["name"] == "tls")
        self.assertEqual([item["key"] for item in tls["secret"]["items"]], ["ca.crt"])


class GpuOverlayTest(unittest.TestCase):
    def setUp(self):
        self.pod = worker_of(ON_GPUS)["spec"]["template"]["spec"]
        self.worker = self.pod["containers"][0]
        self.env = {e["name"]: e.get("value") for e in self.worker["env"]}

    def test_a_pod_has_a_gpu_for_each_rank_and_ranks_must_take_them(self):
        for part in ("requests", "limits"):
            self.assertEqual(self.worker["resources"][part]["nvidia.com/gpu"], self.env["RANKS"], part)
        self.assertEqual(self.env["RIDGELINE_DEVICE"], "cuda")

    def test_its_image_is_the_one_with_cuda_and_pinned(self):
        name, _, tag = self.worker["image"].partition(":")
        self.assertEqual(name, "ridgeline-worker-cuda")
        self.assertTrue(tag and tag != "latest")
        self.assertIn("cuda", stages())

    def test_everything_else_is_the_bases(self):
        base = worker_of(RESOURCES)["spec"]["template"]["spec"]
        self.assertEqual(self.worker["args"], base["containers"][0]["args"])
        self.assertEqual(self.pod["securityContext"], base["securityContext"])
        self.assertEqual({e["name"] for e in base["containers"][0]["env"]} - set(self.env), set())
        self.assertEqual({v["name"] for v in self.pod["volumes"]}, {v["name"] for v in base["volumes"]})
        self.assertEqual([r for r in ON_GPUS if r != worker_of(ON_GPUS)],
                         [r for r in RESOURCES if r != worker_of(RESOURCES)])


if BIN:
    class ProgramsTest(unittest.TestCase):
        def test_programs_know_the_flags(self):
            for name in ("ridgeline-coordinator", "ridgeline-worker"):
                container = pods()[name]["spec"]["containers"][0]
                flags = [a.split("=")[0] for a in container["args"] if a.startswith("--") and a != "--mca"]
                known = subprocess.run([BIN / name, "--help"], capture_output=True, text=True, check=True).stdout
                self.assertTrue(flags)
                for flag in flags:
                    self.assertIn(flag, known)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
