import { api, duration, element, followTheme, keepFresh, link, shownJobs } from "./common.js";

const STATES = ["running", "deferred", "up_for_reschedule"];
const PAGE = 100;
const MOST_TASKS = 2000;
const AT_ONCE = 8;
let waits = [];

function isOurs(task) {
  return (task.operator ?? "").startsWith("ModelArts") || (task.trigger?.classpath ?? "").startsWith("airflow_provider_modelarts.");
}

async function activeTasks() {
  const states = STATES.map((state) => `state=${state}`).join("&");
  const tasks = [];
  for (let offset = 0; offset < MOST_TASKS; offset += PAGE) {
    const page = await api(`dags/~/dagRuns/~/taskInstances?${states}&order_by=start_date&limit=${PAGE}&offset=${offset}`);
    tasks.push(...page.task_instances);
    if (page.task_instances.length < PAGE) break;
  }
  return tasks.filter(isOurs);
}

async function readWait(task) {
  const key = { dag: task.dag_id, run: task.dag_run_id, task: task.task_id, index: task.map_index };
  const shown = await shownJobs(key);
  if (!shown) return [];
  const started = Date.parse(task.start_date) / 1000;
  return shown.jobs.map((job) => {
    const last = job.history.at(-1);
    const since = Math.min(started || Infinity, job.history[0]?.[0] ?? Infinity);
    return { key, job, target: shown.target, status: last?.[1] ?? "not observed yet", since };
  });
}

function taskLink({ dag, run, task, index }) {
  const mapped = index >= 0 ? `/mapped/${index}` : "";
  const path = `../dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}/tasks/${encodeURIComponent(task)}${mapped}`;
  return link(path, `${dag} / ${task}${index >= 0 ? ` [${index}]` : ""}`, "_top");
}

function row({ key, job, target, status, since }) {
  const cells = [
    Number.isFinite(since) ? duration(Date.now() / 1000 - since) : "",
    taskLink(key),
    job.page ? link(job.page, job.title) : job.title,
    status,
    target,
  ];
  return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
}

function offer(select, values) {
  const chosen = select.value;
  const offered = [...new Set([...values, ...(chosen ? [chosen] : [])])].sort();
  if (offered.join("\n") === [...select.options].slice(1).map((option) => option.value).join("\n")) return;
  select.replaceChildren(select.options[0], ...offered.map((value) => element("option", { value }, value)));
  select.value = chosen;
}

function show() {
  const dag = document.getElementById("dag");
  const status = document.getElementById("status");
  offer(dag, waits.map((wait) => wait.key.dag));
  offer(status, waits.map((wait) => wait.status));
  const chosen = waits.filter((wait) => (!dag.value || wait.key.dag === dag.value) && (!status.value || wait.status === status.value));
  chosen.sort((one, other) => one.since - other.since);
  document.querySelector("#waits tbody").replaceChildren(...chosen.map(row));
  document.getElementById("waits").hidden = !chosen.length;
  document.getElementById("message").textContent = `${chosen.length} of ${waits.length} jobs that tasks wait for, longest wait first.`;
}

async function refresh() {
  const tasks = await activeTasks();
  const found = [];
  for (let start = 0; start < tasks.length; start += AT_ONCE) {
    found.push(...(await Promise.all(tasks.slice(start, start + AT_ONCE).map(readWait))));
  }
  waits = found.flat();
  show();
  return true;
}

followTheme();
document.querySelectorAll("select").forEach((select) => select.addEventListener("change", show));
keepFresh(refresh, 10);
