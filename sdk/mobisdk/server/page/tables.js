// Tables. Whatever a phone wrote goes in as text, never as markup.
import { formatClock, formatCount, formatMs, formatTime, text } from "/page/text.js";

const MOST_ROWS = 300;

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const number = (value) => element("td", { className: "number" }, value);
const words = (value) => element("td", { className: "text" }, value);
const flag = (name) => element("span", { className: "flag" }, text(name));

function fill(table, heads, rows, none) {
  const head = element("tr", {}, ...heads.map(([key, isNumber]) => element("th", { scope: "col", className: isNumber ? "number" : "" }, text(key))));
  const body = rows.length ? rows : [element("tr", {}, element("td", { colSpan: heads.length }, none))];
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
  const scroll = table.parentElement;
  scroll.tabIndex = scroll.scrollWidth > scroll.clientWidth || scroll.scrollHeight > scroll.clientHeight ? 0 : -1;
}

function interval(figure) {
  if (!figure) return number("");
  const bounds = figure.low_ms === null ? "" : ` [${formatMs(figure.low_ms)}, ${formatMs(figure.high_ms)}]`;
  return element("td", { className: "number", title: figure.reason ?? "", dir: "ltr" }, formatMs(figure.ms) + bounds);
}

export function drawLatencyTable(rows) {
  const heads = [["device"], ["network"], ["recipe"], ["runtime"], ["threads"], ["mode"], ["runs", true], ["p50", true], ["p90", true], ["p99", true], ["flags"]];
  const lines = rows.slice(0, MOST_ROWS).map((row) => {
    const flags = [];
    if (row.throttled) flags.push(flag("throttled"), ` ${formatCount(row.throttled)} `);
    if (row.kept_apart["golden image failed"]) flags.push(flag("goldenFailed"), ` ${formatCount(row.kept_apart["golden image failed"])}`);
    const main = row.mode === "cold" ? row.load : row.p50;
    return element("tr", {},
      words(row.device), words(row.network), words(row.recipe), words(row.runtime), words(row.threads), words(text(row.mode)),
      number(formatCount(row.runs)), interval(main), interval(row.p90), interval(row.p99), element("td", {}, ...flags));
  });
  fill(document.getElementById("latency-table"), heads, lines, text("noFigures"));
}

let newestShown = null;

export function drawArrivals(latest) {
  const lines = latest.map((run) => {
    const flags = [];
    if (run.throttled) flags.push(flag("throttled"), " ");
    if (run.kept_apart) flags.push(element("span", { className: "flag" }, run.kept_apart));
    const isFresh = newestShown !== null && run.seq > newestShown;
    return element("tr", { className: isFresh ? "fresh" : "" },
      element("td", {}, formatClock(run.received_at)), words(run.device_short), words(run.network), words(run.recipe), words(text(run.mode)),
      number(run.median_ms === null ? "" : formatMs(run.median_ms)), element("td", {}, ...flags));
  });
  newestShown = latest[0]?.seq ?? 0;
  fill(document.getElementById("arrivals-table"), [["when"], ["device"], ["network"], ["recipe"], ["mode"], ["median", true], ["flags"]], lines, text("noFigures"));
}

export function drawPhones(phones) {
  const lines = phones.slice(0, MOST_ROWS).map((phone) => {
    const flags = [];
    if (phone.is_emulator) flags.push(element("span", {}, text("emulator")), " ");
    if (phone.throttled) flags.push(flag("throttled"), ` ${formatCount(phone.throttled)} `);
    if (phone.golden_failed) flags.push(flag("goldenFailed"), ` ${formatCount(phone.golden_failed)}`);
    return element("tr", {}, words(phone.device), number(formatCount(phone.runs)), element("td", {}, formatTime(phone.last_at)), element("td", {}, ...flags));
  });
  fill(document.getElementById("phones-table"), [["device"], ["runs", true], ["last"], ["flags"]], lines, text("noFigures"));
}

export function drawTrouble(overview, rows) {
  const lines = [];
  for (const [folder, reason] of Object.entries(overview.refused_bundles)) {
    lines.push(element("tr", {}, element("td", {}, text("bundle")), words(folder), words(reason), number("")));
  }
  for (const row of rows) {
    for (const [reason, count] of Object.entries(row.kept_apart)) {
      lines.push(element("tr", {}, element("td", {}, text("keptApart")), words(`${row.device}, ${row.network}`), words(reason), number(formatCount(count))));
    }
  }
  for (const line of overview.set_aside) {
    const where = `${formatTime(line.received_at)}, ${text("lineOf")(line.line)} (${line.token_id})`;
    lines.push(element("tr", {}, element("td", {}, text("setAside")), words(where), words(line.reason), number("")));
  }
  fill(document.getElementById("trouble-table"), [["what"], ["where"], ["reason"], ["count", true]], lines.slice(0, MOST_ROWS), text("noTrouble"));
}

export function drawTokens(tokens, revoke) {
  const lines = tokens.map((token) => {
    const button = element("button", { type: "button" }, text("revoke"));
    button.setAttribute("aria-label", text("revokeNamed")(token.name));
    button.addEventListener("click", () => revoke(token));
    return element("tr", {}, words(token.name), element("td", {}, text(token.kind)), element("td", {}, token.rights.map(text).join(", ")),
      element("td", {}, formatTime(Date.parse(token.created_at))), element("td", {}, token.is_own ? text("own") : button));
  });
  fill(document.getElementById("tokens-table"), [["name"], ["kind"], ["rights"], ["when"], ["revoke"]], lines, text("noTrouble"));
}

export function drawFigures(overview, rows) {
  const count = (name, value) => element("div", {}, element("dt", {}, text(name)), element("dd", { id: `count-${name}` }, formatCount(value)));
  document.getElementById("figures").replaceChildren(
    count("runs", rows.reduce((sum, row) => sum + row.runs, 0)),
    count("phones", new Set(rows.map((row) => row.device_id)).size),
    count("variants", new Set(rows.map((row) => row.variant_id)).size),
    count("throttled", rows.reduce((sum, row) => sum + row.throttled, 0)),
    count("setAside", overview.set_aside_total),
  );
}
