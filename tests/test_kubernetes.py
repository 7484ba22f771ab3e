"""The Kubernetes manifest: it fits the server, whose routes, options and metrics it names."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from gpt2_helpers.cli import serve
from gpt2_helpers.cli.parser import config_from
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from paths import ROOT
from web_server import metric, serving

yaml = pytest.importorskip("yaml", reason="needs PyYAML")

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """The objects of the manifest by kind."""
    text = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
    return {item["kind"]: item for item in yaml.safe_load_all(text)}


@pytest.fixture(scope="module")
def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["Deployment"]["spec"]["template"]["spec"]
    return spec


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    found: dict[str, Any] = only
    return found


@pytest.fixture(scope="module")
def options(container: dict[str, Any]) -> ServeConfig:
    """The server's options with the container's arguments."""
    return config_from(ServeConfig, serve.parser().parse(container["args"]))


def test_the_manifest_has_the_objects_of_a_scaled_service(manifest: dict[str, Any]) -> None:
    assert manifest.keys() == {"Deployment", "Service", "HorizontalPodAutoscaler"}
    labels = manifest["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifest["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert manifest["Service"]["spec"]["selector"] == labels
    scaled = manifest["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == manifest["Deployment"]["metadata"]["name"]
    assert "replicas" not in manifest["Deployment"]["spec"]


def test_the_metric_that_scales_is_one_of_the_server(manifest: dict[str, Any]) -> None:
    (entry,) = manifest["HorizontalPodAutoscaler"]["spec"]["metrics"]
    name = entry["pods"]["metric"]["name"]
    values = yaml.safe_load((DEPLOY / "prometheus-adapter.yaml").read_text(encoding="utf-8"))
    (rule,) = values["rules"]["custom"]
    assert rule["name"] == {"matches": f"^{name}$", "as": name}
    assert re.match(r"\w+", rule["seriesQuery"])[0] == name  # type: ignore[index]
    annotations = manifest["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    session = Session()
    session.load_pretrained("tiny")
    with serving(session) as client:
        assert metric(client, name) == 0
        assert client.get(annotations["prometheus.io/path"]).status_code == 200


def test_the_queue_that_scales_is_shorter_than_the_full_one(
    manifest: dict[str, Any], options: ServeConfig
) -> None:
    (entry,) = manifest["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert 0 < int(entry["pods"]["target"]["averageValue"]) < options.max_queue


def test_probes_ask_for_public_routes(container: dict[str, Any]) -> None:
    session = Session()
    session.load_pretrained("tiny")
    with serving(session, key="secret") as client:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            request = container[probe]["httpGet"]
            assert request["port"] == container["ports"][0]["name"]
            # Kubelet sends no key.
            assert httpx.get(client.base_url.join(request["path"])).status_code == 200


def test_a_container_has_time_to_finish_its_requests(
    pod: dict[str, Any], container: dict[str, Any], options: ServeConfig
) -> None:
    command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert pod["terminationGracePeriodSeconds"] > int(seconds) + options.shutdown_timeout + 2


def test_the_container_runs_as_the_user_of_the_image(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert f"USER {pod['securityContext']['runAsUser']}" in dockerfile
    port = container["ports"][0]["containerPort"]
    assert f"PORT={port}" in dockerfile
    assert {"name": "PORT", "value": str(port)} in container["env"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
