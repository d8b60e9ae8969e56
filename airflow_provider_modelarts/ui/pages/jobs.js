import { ENDED, api, duration, element, followTheme, keepFresh, link, moment, shownJobs, taskPath } from "./common.js";

const query = new URLSearchParams(location.search);
// Airflow fills in the index of mapped tasks only.
const index = /^\d+$/.test(query.get("index")) ? query.get("index") : "-1";
const key = { dag: query.get("dag"), run: query.get("run"), task: query.get("task"), index };
const SIGNS = { arrived: "✓ ", "cannot arrive": "✗ ", waiting: "" };
const RESULTS = { success: "has succeeded", failed: "has failed" };
const CLASSES = { arrived: "arrived", "cannot arrive": "failed", waiting: "waiting" };

function bar(history, end) {
  const list = element("ol", { className: "bar" });
  history.forEach(([since, status, verdict], position) => {
    const until = history[position + 1]?.[0] ?? Math.max(end, since);
    const text = `${SIGNS[verdict] ?? ""}${status} · ${duration(until - since)}`;
    const item = element("li", { className: CLASSES[verdict] ?? "waiting", title: text }, text);
    item.style.flexGrow = String(Math.max(until - since, 0.5));
    item.style.flexBasis = "0";
    list.append(item);
  });
  return list;
}

function times(history) {
  const rows = history.map(([since, status]) => element("tr", {}, element("td", {}, moment(since)), element("td", {}, status)));
  const head = element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Observed"), element("th", { scope: "col" }, "Status")));
  return element("details", {}, element("summary", {}, "All times"), element("table", {}, head, element("tbody", {}, ...rows)));
}

function section(job, noun, end) {
  const nodes = job.nodes ? ` on ${job.nodes} ${job.nodes === 1 ? "node" : "nodes"}` : "";
  const page = job.page ? element("p", { className: "muted" }, link(job.page, `Page of ${noun} ${job.title}`)) : null;
  const observed = job.history.length ? [bar(job.history, end), times(job.history)] : [element("p", {}, "Not observed yet")];
  return element("section", {}, element("h2", {}, `${noun} ${job.title}${nodes}`), page, ...observed);
}

function stateInWords(state) {
  return RESULTS[state] ?? `is ${(state ?? "unknown").replaceAll("_", " ")}`;
}

function show(shown, task) {
  const isOver = ENDED.includes(task?.state);
  const end = isOver && task.end_date ? Date.parse(task.end_date) / 1000 : Date.now() / 1000;
  const opened = [...document.querySelectorAll("details")].map((details) => details.open);
  const sections = shown.jobs.map((job) => section(job, shown.noun, end));
  const focused = [...document.querySelectorAll("a, summary")].indexOf(document.activeElement);
  document.getElementById("jobs").replaceChildren(...sections);
  document.querySelectorAll("details").forEach((details, position) => { details.open = opened[position] ?? false; });
  if (focused >= 0) document.querySelectorAll("a, summary")[focused]?.focus();
  const more = shown.more ? ` ${shown.more} more jobs are not shown.` : "";
  document.getElementById("message").textContent = `The task ${stateInWords(task?.state)}. Target: ${shown.target}.${more}`;
  return !isOver;
}

async function refresh() {
  const mapped = index === "-1" ? "" : `/${index}`;
  const [task, shown] = await Promise.all([api(`${taskPath(key)}${mapped}`), shownJobs(key)]);
  if (shown) return show(shown, task);
  document.getElementById("message").textContent = "This task has not waited for a ModelArts job.";
  return !ENDED.includes(task?.state);
}

followTheme();
keepFresh(refresh, 5);
