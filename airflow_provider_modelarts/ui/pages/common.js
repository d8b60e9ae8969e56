// What both pages share. Text from jobs only ever becomes text nodes.

const API = new URL("../api/v2/", document.baseURI);
export const ENDED = ["success", "failed", "skipped", "upstream_failed", "removed"];

export async function api(path) {
  const response = await fetch(new URL(path, API), { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`Airflow's API answers HTTP ${response.status}`);
  return response.json();
}

export function taskPath({ dag, run, task }) {
  return `dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}/taskInstances/${encodeURIComponent(task)}`;
}

export async function shownJobs(key) {
  const entry = await api(`${taskPath(key)}/xcomEntries/modelarts_jobs?map_index=${key.index}&stringify=false`);
  return entry?.value?.version === 1 ? entry.value : null;
}

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child != null));
  return made;
}

// Airflow's frame for such pages may not open windows, but Airflow's own page may.
function openFromAirflow(event) {
  if (window.parent === window) return;
  const link = window.parent.document.createElement("a");
  link.href = event.currentTarget.href;
  link.target = event.currentTarget.target;
  link.rel = "noopener noreferrer";
  event.preventDefault();
  link.click();
}

export function link(address, text, target = "_blank") {
  let url;
  try {
    url = new URL(address, document.baseURI);
  } catch {
    return text;
  }
  if (!["http:", "https:"].includes(url.protocol)) return text;
  const made = element("a", { href: url.href, target, rel: "noopener noreferrer" }, text);
  made.addEventListener("click", openFromAirflow);
  return made;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function moment(seconds) {
  return new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 19) + " UTC";
}

function airflowIsDark() {
  try {
    return window.parent.document.documentElement.classList.contains("dark");
  } catch {
    return matchMedia("(prefers-color-scheme: dark)").matches;
  }
}

export function followTheme() {
  const apply = () => document.documentElement.classList.toggle("dark", airflowIsDark());
  apply();
  try {
    new MutationObserver(apply).observe(window.parent.document.documentElement, { attributeFilter: ["class"] });
  } catch {
    // Served outside of Airflow's UI.
  }
}

// Refreshes until `refresh` returns false, and not while nobody looks.
export async function keepFresh(refresh, seconds) {
  const message = document.getElementById("message");
  for (;;) {
    try {
      if (!document.hidden && !(await refresh())) return;
    } catch (error) {
      message.textContent = `${error.message}. Trying again.`;
    }
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}
