"""IBM's own clients of the HMC Web Services API (zhmcclient, zhmccli) against the simulated console.

Called by the check tests/sim/checks/hmc/outside.rs with the simulator's host, port, certificate and control URL. The simulator is written
from IBM's pages and these clients by IBM's people: what both agree on was not misread by us alone. Exits with 0 if all went as it must.
Nothing of the clients is changed but their patience, for the simulator's clock is faster than theirs, and the port of the command line tool,
which knows the default one only.
"""

import json
import sys
import time
import urllib.request
from importlib.metadata import version

import click.testing
import zhmcclient
import zhmccli.zhmccli

HOST, PORT, CA, CONTROL = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
USER, PASSWORD = "windlass", "weigh-the-anchor"
RFU = "/api/console/remote-firmware-updates"

SLEEP = time.sleep
time.sleep = lambda seconds: SLEEP(min(seconds, 0.2))

SESSION_INIT = zhmcclient.Session.__init__


def on_our_port(self, *args, **kwargs):
    kwargs.setdefault("port", PORT)
    SESSION_INIT(self, *args, **kwargs)


zhmcclient.Session.__init__ = on_our_port
checks = 0


def same(found, expected):
    global checks
    if found != expected:
        raise AssertionError(f"expected {expected!r}, found {found!r}")
    checks += 1


def refused(call, status, reason):
    try:
        answer = call()
    except zhmcclient.HTTPError as error:
        same((error.http_status, error.reason), (status, reason))
        return error
    raise AssertionError(f"expected a refusal {status}.{reason}, found {answer!r}")


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(CONTROL + path, data=data) as answer:
        return json.load(answer)


def session(password=PASSWORD):
    patience = zhmcclient.RetryTimeoutConfig(
        connect_timeout=5, connect_retries=0, read_timeout=30, read_retries=0, operation_timeout=60)
    return zhmcclient.Session(HOST, USER, password, verify_cert=CA, retry_timeout_config=patience)


def bundle(console):
    console.pull_full_properties()
    return console.prop("ec-mcl-description")["bundle-level"]


def logon():
    told = zhmcclient.Client(session("guess")).query_api_version()
    same((told["api-major-version"], told["api-minor-version"], told["hmc-version"]), (4, 10, "2.16.0"))
    try:
        session("guess").logon()
    except zhmcclient.ServerAuthError as error:
        same(error.details.http_status, 403)
    else:
        raise AssertionError("a wrong password was taken")


def reads(own, console):
    same(bundle(console), "H25")
    console.pull_properties(["name", "ec-mcl-description"])
    refused(lambda: own.get("/api/console?properties=colour"), 400, 14)
    same("rcl-progress" in console.list_api_features(), True)
    same(console.list_api_features("rcl-progress"), ["rcl-progress"])
    control("/sessions/expire", {})
    same(bundle(console), "H25")  # after 403.5 it logs on again by itself


def updates(own):
    granted = own.post("/api/console/operations/authorize-remote-firmware-updates")
    same(own.get(RFU)["remote-firmware-update-tokens"], [granted])
    order = {"token": granted["authorization-token"], "bundle": "H30", "in_secs": 360000, "window_mins": 30}
    control("/targets/console", {"schedule": order})
    [listed] = own.get(RFU + "?state=scheduled")["remote-firmware-updates"]
    update = own.get(listed["element-uri"])
    same((update["state"], update["target-bundle"], update["execution-percentage"]), ("scheduled", "H30", 0))
    scheduled = zhmcclient.datetime_from_timestamp(update["scheduled-execution-time"])
    created = zhmcclient.datetime_from_timestamp(update["creation-time"])
    same((scheduled - created).total_seconds(), 360000.0)
    refused(lambda: own.get(RFU + "?state=no-such"), 400, 14)
    own.delete(listed["element-uri"])
    refused(lambda: own.get(listed["element-uri"]), 404, 1)


def installs(console):
    refused(lambda: console.single_step_install(bundle_level="H25", wait_for_completion=False), 400, 356)
    # It waits over the restart, in which its session is lost and no connection is made.
    same(console.single_step_install(bundle_level="H30"), None)
    same(bundle(console), "H30")

    # Until the cancel is asked for, no time may pass.
    speed = control("/clock", {})["speed"]
    control("/clock", {"speed": 0})
    job = console.single_step_install(bundle_level="H34", wait_for_completion=False)
    same(job.query_status(), ("running", None, None, None))
    refused(lambda: console.single_step_install(bundle_level="H34", wait_for_completion=False), 409, 1)
    refused(job.delete, 409, 40)
    job.cancel()
    refused(job.cancel, 409, 42)
    same(job.query_status()[0], "cancel-pending")
    control("/clock", {"advance": 60})
    same(job.query_status()[0], "canceled")
    refused(job.cancel, 409, 41)
    job.delete()
    refused(job.query_status, 404, 1)
    control("/clock", {"speed": speed})

    control("/targets/console", {"ends": {"failure": {"status": 500, "reason": 12, "message": "no space"}}})
    same(refused(lambda: console.single_step_install(bundle_level="H34"), 500, 12).message, "no space")
    control("/targets/console", {"ends": "success"})
    same(bundle(console), "H30")


def command_line():
    def zhmc(*args):
        own = ["-h", HOST, "-u", USER, "-p", PASSWORD, "-c", CA]
        result = click.testing.CliRunner().invoke(zhmccli.zhmccli.cli, [*own, *args])
        if result.exit_code != 0:
            raise AssertionError(f"zhmc {args}: {result.output}")
        return result.output

    same("activated" in zhmc("console", "list-firmware"), True)
    ftp = ["--ftp-host", "ftp.example.com", "--ftp-user", "anchor", "--ftp-password", "slip-no-more", "--ftp-directory", "/d"]
    upgrade = ["console", "upgrade", "--bundle-level", "H34", "--backup-location-type", "ftp", *ftp]
    same("has been upgraded to bundle level H34" in zhmc(*upgrade), True)
    same("was already at bundle level H34" in zhmc(*upgrade), True)


def main():
    logon()
    own = session()
    console = zhmcclient.Client(own).consoles.console
    reads(own, console)
    updates(own)
    installs(console)
    own.logoff()
    command_line()
    print(f"zhmcclient {version('zhmcclient')}, zhmccli {version('zhmccli')}: {checks} checks passed")


main()
