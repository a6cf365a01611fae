// Charts, by Vega-Lite. Its expressions are interpreted (`ast`), so that the page needs no eval.
import { formatMs, text } from "/page/text.js";

const SERIES = [1, 2, 3, 4, 5, 6].map((step) => `var(--series-${step})`);
const SHAPES = ["circle", "square", "diamond", "triangle-up", "cross", "triangle-down"];
const LABELS = { labelColor: "var(--muted)", labelFontSize: 12, titleColor: "var(--muted)", titleFontSize: 12, titleFontWeight: "normal" };
const CONFIG = {
  background: "transparent", font: "system-ui, sans-serif", view: { stroke: null },
  axis: { ...LABELS, gridColor: "var(--chart-grid)", domainColor: "var(--chart-base)", tickColor: "var(--chart-base)", labelPadding: 6, labelLimit: 220 },
  legend: { ...LABELS, orient: "top", title: null, symbolSize: 80, columns: 2, labelLimit: 260 },
  text: { color: "var(--text)" },
};
const MOST_DEVICES = 12;
const MOST_LINES = 6;
const MOST_NETWORKS = 24;

let loading = null;

function loadVega() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/page/vega.js";
    script.addEventListener("load", () => resolve(window.vegaEmbed));
    script.addEventListener("error", reject);
    document.head.append(script);
  });
  return loading;
}

const drawn = new Map();

/** Draw `spec` in the element; one that is drawn already with the same shape only gets its new values. */
async function draw(id, spec, values) {
  const container = document.getElementById(id);
  const shape = JSON.stringify(spec) + container.clientWidth;
  const before = drawn.get(id);
  if (before?.shape === shape) {
    before.view.data("values", values.map((value) => ({ ...value })));
    await before.view.runAsync();
    return before.view;
  }
  const vegaEmbed = await loadVega();
  before?.view.finalize();
  const full = { ...spec, config: CONFIG, width: "container", datasets: { values } };
  const embedded = await vegaEmbed(container, full, { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: showTip });
  drawn.set(id, { shape, view: embedded.view });
  return embedded.view;
}

export function clear(id, sentence) {
  drawn.get(id)?.view.finalize();
  drawn.delete(id);
  document.getElementById(id).textContent = sentence;
}

function showTip(_, event, __, value) {
  let tip = document.getElementById("tip");
  if (!value) return tip?.remove();
  if (!tip) {
    tip = Object.assign(document.createElement("div"), { id: "tip" });
    document.body.append(tip);
  }
  tip.replaceChildren(Object.assign(document.createElement("div"), { textContent: typeof value === "string" ? value : Object.values(value).join("\n") }));
  tip.style.left = `${Math.min(event.clientX + 12, innerWidth - 220)}px`;
  tip.style.top = `${event.clientY + 14}px`;
}

function byDevice(devices) {
  return {
    color: { field: "device", type: "nominal", scale: { domain: devices, range: devices.map((_, index) => SERIES[index % SERIES.length]) }, legend: { columns: innerWidth < 600 ? 1 : 2 } },
    shape: { field: "device", type: "nominal", scale: { domain: devices, range: devices.map((_, index) => SHAPES[(index + Math.floor(index / SHAPES.length)) % SHAPES.length]) } },
  };
}

/** The devices with most runs; a chart of twenty colours could not be read. */
function mainDevices(rows) {
  const runs = new Map();
  for (const row of rows) runs.set(row.device, (runs.get(row.device) ?? 0) + row.runs);
  return [...runs].sort((one, other) => other[1] - one[1]).slice(0, MOST_DEVICES).map(([device]) => device).sort();
}

/** Rows whose device has its short name, and whose network leaves out what all have in common, where that tells them apart. */
export function shorten(rows) {
  const longs = new Map();
  for (const row of rows) longs.set(row.device_short, (longs.get(row.device_short) ?? new Set()).add(row.device));
  const [arch, ...others] = new Set(rows.map((row) => row.arch));
  const common = others.length || arch === null || arch === undefined ? "" : `${arch} `;
  return rows.map((row) => ({
    ...row,
    device: longs.get(row.device_short).size === 1 ? row.device_short : row.device,
    network: row.network.startsWith(common) ? row.network.slice(common.length) : row.network,
  }));
}

export async function drawLatency(rows) {
  const figures = shorten(rows.filter((row) => row.p50));
  if (!figures.length) return clear("latency-chart", text("noFigures"));
  const devices = mainDevices(figures);
  const values = figures.filter((row) => devices.includes(row.device)).map((row) => ({
    device: row.device, network: `${row.network}, ${row.recipe}${row.mode === "burst" ? "" : `, ${text(row.mode)}`}`,
    ms: row.p50.ms, low: row.p50.low_ms ?? row.p50.ms, high: row.p50.high_ms ?? row.p50.ms,
    tip: `${row.device}\n${row.network}, ${row.recipe}\n${formatMs(row.p50.ms)} ms${row.p50.low_ms === null ? "" : ` [${formatMs(row.p50.low_ms)}, ${formatMs(row.p50.high_ms)}]`}`,
  }));
  const networks = [...new Set(values.map((value) => value.network))].sort((one, other) => least(values, one) - least(values, other)).slice(0, MOST_NETWORKS);
  const shown = values.filter((value) => networks.includes(value.network));
  const y = { field: "network", type: "nominal", sort: networks, title: null, axis: { labelLimit: innerWidth < 600 ? 150 : 280, grid: true }, scale: { paddingInner: 0.3 } };
  const offset = { yOffset: { field: "device", type: "nominal", scale: { domain: devices, paddingOuter: 0.3 } } };
  const x = { type: "quantitative", title: text("msAxis"), scale: { type: "log", nice: false, padding: 8 }, axis: { tickCount: 5, format: "~g", grid: false } };
  const { color, shape } = byDevice(devices);
  await draw("latency-chart", {
    height: 26 * networks.length,
    data: { name: "values" },
    encoding: { y, ...offset, color },
    layer: [
      { mark: { type: "rule", strokeWidth: 2 }, encoding: { x: { ...x, field: "low" }, x2: { field: "high" } } },
      { mark: { type: "point", filled: true, size: 55, opacity: 1 }, encoding: { x: { ...x, field: "ms" }, shape, tooltip: { field: "tip" } } },
    ],
  }, shown);
}

const least = (values, network) => Math.min(...values.filter((value) => value.network === network).map((value) => value.ms));

export async function drawTimeline(timelines, rows) {
  const named = new Map(shorten(rows).map((row) => [row.group_id, `${row.device}: ${row.network}, ${row.recipe}`]));
  const values = Object.entries(timelines).flatMap(([group, points]) => points.map((point) => ({ ...point, group: named.get(group) ?? group })));
  if (!values.length) return clear("timeline-chart", text("noTimeline"));
  const names = [...new Set(values.map((value) => value.group))].slice(0, MOST_LINES);
  await draw("timeline-chart", {
    height: 240,
    data: { name: "values" },
    mark: { type: "line", strokeWidth: 2 },
    encoding: {
      x: { field: "s", type: "quantitative", title: text("secondsAxis"), axis: { grid: false, tickCount: 6 } },
      y: { field: "ms", type: "quantitative", title: text("msAxis"), scale: { zero: false }, axis: { tickCount: 5, format: "~g" } },
      color: { field: "group", type: "nominal", scale: { domain: names, range: SERIES }, legend: { columns: 1, labelLimit: innerWidth < 600 ? 240 : 600 } },
    },
  }, values.filter((value) => names.includes(value.group)));
}

export async function drawPareto(points, front, valueAxis, budgetExtent) {
  const devices = mainDevices(points);
  const { color, shape } = byDevice(devices);
  const x = { type: "quantitative", title: text("msAxis"), scale: { type: "log", domain: budgetExtent, nice: false }, axis: { tickCount: 5, format: "~g", grid: false } };
  const y = { field: "value", type: "quantitative", title: valueAxis, scale: { zero: false, padding: 12 }, axis: { tickCount: 5, format: "~r" } };
  const values = [
    ...points.filter((point) => devices.includes(point.device)).map((point) => ({ ...point, part: "point" })),
    ...front.map((point) => ({ ...point, part: "front" })),
  ];
  const part = (name) => [{ filter: { field: "part", equal: name } }];
  return draw("pareto-chart", {
    height: 300,
    data: { name: "values" },
    params: [{ name: "budget", value: 1 }],
    layer: [
      { transform: part("front"), mark: { type: "line", interpolate: "step-after", color: "var(--text)", strokeWidth: 1.5, opacity: .7 }, encoding: { x: { ...x, field: "ms" }, y, order: { field: "ms" } } },
      { transform: part("point"), mark: { type: "point", filled: true, size: 75, opacity: .9 }, encoding: { x: { ...x, field: "ms" }, y, color, shape, tooltip: { field: "tip" } } },
      { name: "budget_line", data: { values: [{}] }, mark: { type: "rule", color: "var(--bad)", strokeWidth: 2, strokeDash: [6, 4] }, encoding: { x: { datum: { expr: "budget" }, ...x } } },
    ],
  }, values);
}
