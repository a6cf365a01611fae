// The page: signs in, draws what the server knows, and looks again whenever runs arrive.
import { ask } from "/page/api.js";
import { drawAccess, offerAccess } from "/page/access.js";
import { drawLatency, drawTimeline } from "/page/charts.js";
import { NAMES, keep, matches, offerFilters, readFilters } from "/page/filters.js";
import { drawFront } from "/page/pareto.js";
import { drawArrivals, drawFigures, drawLatencyTable, drawPhones, drawTrouble } from "/page/tables.js";
import { formatClock, text, useLanguage } from "/page/text.js";

const AGAIN_MS = 150;
const byId = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);

let overview = null;
let wantedVersion = 0;
let refreshing = false;
let isManager = false;
let sustainedAt = -1;

function showLive(state) {
  byId("live").dataset.state = state;
  const last = overview?.latest[0]?.received_at;
  byId("live-text").textContent = text(state) + (state === "live" && last ? ` · ${formatClock(last)}` : "");
}

async function draw() {
  const filters = readFilters();
  const rows = overview.rows.filter((row) => matches(row, filters));
  offerFilters(byId("filters"), overview.rows, filters, text("all"), text);
  byId("empty").hidden = overview.runs > 0;
  drawFigures(overview, rows);
  drawLatencyTable(rows);
  drawArrivals(overview.latest);
  drawPhones(overview.phones.filter((phone) => rows.some((row) => row.device_id === phone.device_id)));
  drawTrouble(overview, rows);
  await drawLatency(rows);
  await drawFront(rows, overview);
  await drawSustained(rows, filters);
}

async function drawSustained(rows, filters) {
  const sustained = rows.filter((row) => row.mode === "sustained");
  const newest = JSON.stringify([filters, document.documentElement.lang, sustained.map((row) => row.last_at)]);
  if (newest === sustainedAt) return;
  sustainedAt = newest;
  const { timelines } = sustained.length ? await ask("GET", `/v1/timelines?${new URLSearchParams({ ...filters, mode: "sustained" })}`) : { timelines: {} };
  await drawTimeline(timelines, rows);
}

async function refresh() {
  if (refreshing) return;
  refreshing = true;
  try {
    do {
      overview = await ask("GET", "/v1/overview");
      await draw();
      showLive("live");
      if (overview.version < wantedVersion) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    } while (overview.version < wantedVersion);
    if (isManager) await drawAccess();
  } catch (error) {
    if (error.status === 401) return askForCode();
    showLive("lost");
  } finally {
    refreshing = false;
  }
}

function watch() {
  const events = new EventSource("/v1/events");
  events.addEventListener("runs", (event) => {
    wantedVersion = Math.max(wantedVersion, JSON.parse(event.data).version);
    refresh();
  });
  events.addEventListener("error", () => {
    showLive("lost");
    refresh();
  });
}

function askForCode(sentence = "") {
  byId("lab").hidden = true;
  byId("sign-out").hidden = true;
  byId("live").hidden = true;
  byId("sign-in").hidden = false;
  byId("sign-in-error").textContent = sentence;
  byId("code").focus();
}

async function start(session) {
  isManager = session.rights.includes("manage");
  byId("sign-in").hidden = true;
  byId("live").hidden = false;
  byId("sign-out").hidden = false;
  byId("lab").hidden = false;
  if (isManager) offerAccess();
  await refresh();
  watch();
}

async function signIn(code) {
  try {
    await start(await ask("POST", "/v1/session", { code }));
  } catch (error) {
    askForCode(error.message);
  }
}

async function boot() {
  useLanguage(query.get("lang") ?? "en");
  showLanguage();
  const theme = query.get("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    history.replaceState(null, "", location.pathname + location.search); // the code stays out of the history
    return signIn(code);
  }
  const session = await ask("GET", "/v1/session");
  if (session.rights.length) await start(session);
  else askForCode();
}

function showLanguage() {
  const isArabic = document.documentElement.lang === "ar";
  byId("language").textContent = isArabic ? "English" : "العربية";
  byId("language").lang = isArabic ? "en" : "ar";
}

byId("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(byId("code").value.trim());
});
byId("sign-out").addEventListener("click", async () => {
  await ask("DELETE", "/v1/session");
  location.reload();
});
byId("filters").addEventListener("change", (event) => {
  keep({ [event.target.name]: event.target.value });
  draw();
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("reset").addEventListener("click", () => {
  keep(Object.fromEntries(NAMES.map((name) => [name, null])));
  draw();
});
byId("language").addEventListener("click", () => {
  keep({ lang: useLanguage(document.documentElement.lang === "ar" ? "en" : "ar") });
  showLanguage();
  if (overview) draw().then(() => showLive(byId("live").dataset.state));
  if (isManager) drawAccess();
});
byId("theme").addEventListener("click", () => {
  const isDark = getComputedStyle(document.documentElement).colorScheme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = isDark ? "light" : "dark";
  keep({ theme: document.documentElement.dataset.theme });
});
let width = innerWidth;
addEventListener("resize", () => {
  if (overview && innerWidth !== width) draw();
  width = innerWidth;
});

boot();
