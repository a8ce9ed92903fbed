"""The files of deploy/ and the image fit the server: what they name exists, and what they promise holds."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.model import Level
from saasus_mcp.hosting.metrics import Metrics, MetricsObserver
from saasus_mcp.settings.config import Config
from saasus_mcp.settings.environment import VARIABLES, Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PAGES = ("docs/operations.md", "docs/operations.ja.md")
SELECTOR = re.compile(r"(saasus_mcp_\w+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\bby \(([^)]*)\)")
OF_PROMETHEUS = {"instance", "job", "le"}
TIMEOUT_SECONDS = Settings().timeout
MARGIN_SECONDS = 10


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def exported() -> dict[str, set[str]]:
    """Return the labels of every exported sample, by its name."""
    metrics = Metrics()
    metrics.calls.labels("p", "read", "ok").inc()
    metrics.refusals.labels("p", "read", "denied").inc()
    metrics.upstream.labels("p", "read").observe(1)
    metrics.responses.labels("200").inc()
    text, _ = metrics.render("", {"p": 1}, {"p": True})
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def expressions() -> Iterator[str]:
    for group in yaml.safe_load(read("deploy/prometheus/alerts.yml"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    dashboard = json.loads(read("deploy/grafana/saasus-mcp.json"))
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    yield from (each["query"]["query"] for each in dashboard["templating"]["list"] if isinstance(each["query"], dict))


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_expression_reads_exported_metrics_by_their_labels(expression: str) -> None:
    known = exported()
    for name, selector in SELECTOR.findall(expression):
        assert name in known, name
        used = set(re.findall(r"(\w+)\s*[=!]~?", selector))
        used |= {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}
        assert used <= known[name] | OF_PROMETHEUS, (name, used - known[name])


@pytest.mark.parametrize("expression", [each for each in sorted(set(expressions())) if "level" in each])
def test_levels_in_expressions_exist(expression: str) -> None:
    for levels in re.findall(r'level=~"([^"]*)"', expression):
        assert set(levels.split("|")) <= set(get_args(Level))


@pytest.mark.parametrize("page", PAGES)
def test_the_page_lists_exactly_the_exported_metrics(page: str) -> None:
    of_histogram = re.compile(r"_(bucket|count|sum|created)$")
    names = {of_histogram.sub("", name) for name in exported() if not name.endswith(("_info", "_created"))}
    assert set(re.findall(r"^\| `(saasus_mcp_\w+)`", read(page), re.MULTILINE)) == names


def test_every_alert_leads_to_a_runbook() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", read(PAGES[0]), re.MULTILINE)
    }
    for group in yaml.safe_load(read("deploy/prometheus/alerts.yml"))["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["runbook_url"].split("/docs/operations.md#")[1] in anchors, rule["alert"]


@pytest.mark.process
def test_alerts_are_raised_by_faults_alone(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    for file in (DEPLOY / "prometheus/alerts.yml", Path(__file__).with_name("alerts.test.yml")):
        shutil.copy(file, tmp_path)
    run = subprocess.run(
        [promtool, "test", "rules", "alerts.test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_builder_gets_the_sources_of_the_image_and_nothing_else() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", read("Dockerfile"), re.MULTILINE)
        for source in line.split()[:-1]
    ]
    lines = [line for line in read(".dockerignore").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied)
    for secret in (".git", "config.toml", "secrets/api_key", ".env"):
        assert not any(fnmatch.fnmatch(secret, source) for source in copied)


def variables(text: str) -> set[str]:
    return set(re.findall(r"\bSAASUS_[A-Z_]+", text))


@pytest.mark.parametrize("file", ["Dockerfile", "compose.yaml", *sorted(map(str, DEPLOY.rglob("*.*"))), *PAGES])
def test_every_variable_is_a_setting(file: str) -> None:
    known = {variable for variables in VARIABLES.values() for variable in variables}
    assert variables(read(file)) <= known


def kubernetes(name: str) -> Any:
    return yaml.safe_load(read(f"deploy/kubernetes/{name}"))


def test_the_base_lists_its_files_and_its_configuration_is_valid() -> None:
    base = kubernetes("kustomization.yaml")
    manifests = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(base["resources"]) == manifests
    config = Config.model_validate(tomllib.loads(read("deploy/kubernetes/config.toml")))
    assert config.profiles["production"].groups == frozenset({"operators"})


def test_a_pod_ends_after_its_calls_and_runs_without_rights() -> None:
    pod = kubernetes("deployment.yaml")["spec"]["template"]["spec"]
    [server] = pod["containers"]
    leave = int(server["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= leave + TIMEOUT_SECONDS + MARGIN_SECONDS
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert server["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {mount["name"] for mount in server["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.process
def test_kustomize_builds_the_base() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    run = subprocess.run(
        [kubectl, "kustomize", str(DEPLOY / "kubernetes")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    kinds = {document["kind"] for document in yaml.safe_load_all(run.stdout)}
    assert kinds == {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"}


def test_the_unit_gives_calls_time_to_end() -> None:
    unit = read("deploy/systemd/saasus-mcp.service")
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop is not None
    assert int(stop[1]) >= TIMEOUT_SECONDS + MARGIN_SECONDS


@pytest.mark.process
def test_systemd_accepts_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "saasus-mcp.service"
    # The program is installed only on a real server.
    text = read("deploy/systemd/saasus-mcp.service").replace(
        "/opt/saasus-mcp/bin/saasus-mcp", shutil.which("true") or ""
    )
    unit.write_text(text, encoding="utf-8")
    for command in (["verify", "--man=no"], ["security", "--offline=yes", "--threshold=20"]):
        run = subprocess.run([analyze, *command, str(unit)], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "saasus-mcp.service:" not in run.stderr, run.stderr


def run_with_settings(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run the script that runs commands like the unit, with its settings in a folder and as the present user."""
    text = read("deploy/systemd/saasus-mcp-env").replace("/etc/saasus-mcp", str(folder))
    text, changed = re.subn(r"exec setpriv .* -- ", "exec ", text)
    assert changed == 1
    return subprocess.run(
        ["/bin/sh", "-c", text, "saasus-mcp-env", *command], capture_output=True, text=True, check=False
    )


@pytest.mark.process
def test_a_command_has_the_settings_of_the_unit(tmp_path: Path) -> None:
    url = "postgresql://saasus@db/saasus?passfile=/etc/x&sslmode=verify-full"
    lines = ["# a comment", "", f"SAASUS_MCP_DATABASE_URL={url}", "SAASUS_MCP_SEALING_KEYS_FILE=/etc/$(id)"]
    (tmp_path / "environment").write_text("\n".join(lines), encoding="utf-8")
    found = run_with_settings(tmp_path, "env").stdout.splitlines()
    unit = read("deploy/systemd/saasus-mcp.service").replace("/etc/saasus-mcp", str(tmp_path))
    fixed = re.findall(r"(?:SAASUS_MCP_CONFIG|SAASUS_MCP_STATE_DIR|HOME)=\S+", unit)
    assert len(fixed) == 3
    assert {*lines[2:], *fixed} <= set(found)


@pytest.mark.process
def test_a_command_does_not_run_without_the_settings(tmp_path: Path) -> None:
    run = run_with_settings(tmp_path, "echo", "ran")
    assert run.returncode != 0
    assert "ran" not in run.stdout


def test_the_first_call_with_an_unknown_outcome_is_an_increase(catalogue: Catalogue) -> None:
    metrics = Metrics()
    MetricsObserver(metrics, "production", catalogue)
    text, _ = metrics.render("", {}, {"production": True})
    assert b'saasus_mcp_calls_total{level="destructive",outcome="unknown",profile="production"} 0.0' in text


@pytest.mark.parametrize("page", ["docs/hosting.md", "docs/hosting.ja.md"])
@pytest.mark.parametrize("proxy", ["nginx.conf", "Caddyfile", "haproxy.cfg"])
def test_the_documentation_shows_the_tested_configuration(page: str, proxy: str) -> None:
    assert read(f"deploy/proxies/{proxy}") in read(page)
