"""`make screenshots`: what people see and click, in a real browser; checked on the way, and kept in docs/images."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from airflow_provider_modelarts.emulator import Emulator
from tools.local_airflow import LocalAirflow, LocalAirflowError, poll_until
from tools.stage import stage

IMAGES = Path(__file__).resolve().parent.parent / "docs/images"
CONNECTION_ID = "modelarts_made_by_hand"
DAG_ID = "modelarts_visualization_job_life_cycle"
GATE_DAG_ID = "modelarts_gate_on_running"
GATE_TASK_ID = "wait_until_running"
TIMEOUT = 120.0  # seconds

expect.set_options(timeout=30_000)


def main() -> int:
    """Take all pictures, and return the exit status."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with stage() as (airflow, emulator), browser() as page:
        fill_in_and_save(page, airflow, emulator)
        press_test(page, airflow, emulator)
        open_the_job(page, airflow, emulator)
        watch_a_wait(page, airflow, emulator)
    print(f"The connection form, its test and the task's button work; pictures are in {IMAGES.name}/ of docs.")
    return 0


@contextmanager
def browser() -> Iterator[Page]:
    """Open a page in Chromium, which has to be installed (Debian: ``apt-get install chromium``)."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("There is no chromium on the PATH (Debian: apt-get install chromium)")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=[*quiet, "--disable-sync", "--no-first-run"]
        )
        page = running.new_context(viewport={"width": 1200, "height": 1080}, locale="en-US").new_page()
        page.set_default_timeout(60_000)
        yield page
        running.close()


def fill_in_and_save(page: Page, airflow: LocalAirflow, emulator: Emulator) -> None:
    """Make a connection by hand, and see that Airflow keeps what was typed."""
    extra = {name: value for name, value in emulator.connection()["extra"].items() if isinstance(value, str)}
    page.goto(f"{airflow.url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.locator("[name=connection_id]").fill(CONNECTION_ID)
    form.get_by_role("combobox").first.click()
    page.keyboard.type("Huawei Cloud ModelArts")
    page.keyboard.press("Enter")
    expect(form.get_by_text("Access key (AK), or IAM user")).to_be_visible()
    expect(form.locator("[name=host]")).to_have_attribute("placeholder", "empty for a public Region (Extra Fields)")
    expect(form.locator("[name=password]")).to_have_attribute("type", "password")
    host, _, port = emulator.url.rpartition(":")
    for name, value in (("host", host), ("port", port), ("login", emulator.ak), ("password", emulator.sk)):
        form.locator(f"[name={name}]").fill(value)
    picture(page, "connection-form.png", height=900)

    form.get_by_role("button", name="Extra Fields", exact=True).click()
    expect(form.locator("#element_security_token")).to_have_attribute("type", "password")
    for name, value in extra.items():
        form.locator(f"#element_{name}").fill(value)
    picture(page, "connection-form-extra.png", height=1500)
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()

    kept = airflow.api("GET", f"connections/{CONNECTION_ID}")
    assert (kept["conn_type"], f"{kept['host']}:{kept['port']}") == ("modelarts", emulator.url), kept
    assert kept["login"] == emulator.ak, kept
    for name, value in extra.items():
        assert f'"{name}": "{value}"' in kept["extra"], kept


def press_test(page: Page, airflow: LocalAirflow, emulator: Emulator) -> None:
    """Press the test button of the connection, with the right secret key and with a wrong one."""
    page.goto(f"{airflow.url}/connections")
    test = page.get_by_role("row").filter(has_text=CONNECTION_ID).get_by_role("button", name="Test Connection")
    test.click()
    expect(page.get_by_text(f"ModelArts answers; project {emulator.project_id}")).to_be_visible()
    picture(page, "connection-test.png", height=520)

    airflow.api(
        "PATCH",
        f"connections/{CONNECTION_ID}",
        params={"update_mask": "password"},
        json={"connection_id": CONNECTION_ID, "conn_type": "modelarts", "password": "not-the-secret-key"},
    )
    page.reload()
    test.click()
    expect(page.get_by_text("verify aksk signature fail")).to_be_visible()
    picture(page, "connection-test-fails.png", height=640)


def open_the_job(page: Page, airflow: LocalAirflow, emulator: Emulator) -> None:
    """Follow the button of a task that is deferred to the page of its job."""
    emulator.add_script_rule("modelar-*", "1:0,7:2,8:600")
    run_id = airflow.trigger(DAG_ID)

    def link() -> str | None:
        links: dict[str, Any] = airflow.api("GET", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/create/links")
        url: str | None = links["extra_links"]["TensorBoard"]
        return url

    poll_until(link, TIMEOUT, lambda: "the task has no link")
    page.goto(f"{airflow.url}/dags/{DAG_ID}/runs/{run_id}/tasks/create/details")
    button = page.get_by_role("link", name="TensorBoard")
    expect(button).to_be_visible()
    expect(page.get_by_text("Deferred").first).to_be_visible()
    picture(page, "link.png", height=800)

    with page.expect_popup() as opened:
        button.click()
    job = opened.value
    job.wait_for_load_state()
    assert job.url == link(), job.url
    expect(job.get_by_text("modelar-").first).to_be_visible()
    picture(job, "job-page.png", height=420)


def watch_a_wait(page: Page, airflow: LocalAirflow, emulator: Emulator) -> None:
    """See a wait on the page of all waits, in the tab of its task while it waits and after that, and in its log."""
    job_id = emulator.create_job(job_name="nightly-board", script="1:0,7:9,19:40,8:600")
    run_id = airflow.trigger(GATE_DAG_ID, conf={"job_id": job_id})
    poll_until(lambda: jobs_are_shown(airflow, run_id, "WAITING"), TIMEOUT, lambda: "the wait is not shown")
    in_nav(page, airflow, job_id)
    in_tab(page, airflow, run_id)
    page.goto(f"{airflow.url}/dags/{GATE_DAG_ID}/runs/{run_id}/tasks/{GATE_TASK_ID}")
    expect(page.get_by_text("Polling every").first).to_be_visible()
    picture(page, "waiting-log.png", height=800)
    emulator.set_status(job_id, 8)
    airflow.wait(GATE_DAG_ID, run_id, TIMEOUT)
    page.goto(tab_url(airflow, run_id))
    tab = page.frame_locator("iframe")
    expect(tab.get_by_text("✓ RUNNING")).to_be_visible()
    expect(tab.get_by_role("status")).to_contain_text("The task has succeeded")
    picture(page, "jobs-tab-after.png", height=640)


def in_nav(page: Page, airflow: LocalAirflow, job_id: str) -> None:
    """See all waits, filter them, and follow one to the page of its job, by keyboard; in light and dark."""
    page.goto(f"{airflow.url}/plugin/modelarts-waits")
    waits = page.frame_locator("iframe")
    row = waits.get_by_role("row").filter(has_text=GATE_DAG_ID)
    expect(row).to_be_visible()
    waits.get_by_label("Dag").select_option(GATE_DAG_ID)
    expect(waits.get_by_role("row")).to_have_count(2)
    picture(page, "waits.png", height=560)
    with page.expect_popup() as opened:
        link = row.get_by_role("link", name=job_id)
        link.focus()
        link.press("Enter")
    expect(opened.value.get_by_text("nightly-board").first).to_be_visible()
    opened.value.close()
    in_the_dark(page, "waits-dark.png", height=560)


def in_tab(page: Page, airflow: LocalAirflow, run_id: str) -> None:
    """See the job of a waiting task in the task's tab, live; in light and dark."""
    page.goto(tab_url(airflow, run_id))
    tab = page.frame_locator("iframe")
    expect(tab.get_by_role("listitem").filter(has_text="WAITING")).to_be_visible()
    expect(tab.get_by_role("status")).to_contain_text("The task is deferred")
    expect(tab.get_by_role("listitem").filter(has_text="CHECK_RUNNING")).to_be_visible(timeout=90_000)  # live
    picture(page, "jobs-tab.png", height=640)
    in_the_dark(page, "jobs-tab-dark.png", height=640)


def in_the_dark(page: Page, name: str, *, height: int) -> None:
    """Take a picture in Airflow's dark mode, and go back."""
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    picture(page, name, height=height)
    page.evaluate("document.documentElement.classList.replace('dark', 'light')")


def tab_url(airflow: LocalAirflow, run_id: str) -> str:
    return f"{airflow.url}/dags/{GATE_DAG_ID}/runs/{run_id}/tasks/{GATE_TASK_ID}/plugin/modelarts-jobs"


def jobs_are_shown(airflow: LocalAirflow, run_id: str, status: str) -> bool:
    """Return whether the XCom that the pages read has a status."""
    try:
        shown = airflow.xcom(GATE_DAG_ID, run_id, GATE_TASK_ID, "modelarts_jobs")
    except LocalAirflowError:
        return False
    return status in str(shown)


def picture(page: Page, name: str, *, height: int) -> None:
    """Take a picture of a page, in a window of this height in pixels."""
    page.set_viewport_size({"width": 1200, "height": height})
    page.wait_for_timeout(700)  # what opens, opens slowly
    page.screenshot(path=IMAGES / name)


if __name__ == "__main__":
    sys.exit(main())
