// The Pareto front, and the budget: a line that is dragged, or a slider for whoever has no pointer.
import { clear, drawPareto, shorten } from "/page/charts.js";
import { keep } from "/page/filters.js";
import { formatMs, text } from "/page/text.js";

const STEPS = 1000;
const NEAR_PX = 14;

let points = [];
let extent = [0.1, 10];
let view = null;
let budget = null;
let describe = String;

const slider = document.getElementById("budget");
const chart = document.getElementById("pareto-chart");

/** Draw the rows in burst mode whose value is known: accuracy, or multiply-adds while no accuracy is. */
export async function drawFront(rows, overview) {
  const hasAccuracy = Object.keys(overview.accuracies).length > 0;
  document.getElementById("pareto-note").textContent = text(hasAccuracy ? "paretoAccuracy" : "paretoMacs");
  describe = hasAccuracy ? (value) => `${value.toFixed(1)} %` : (value) => text("macs")(formatMs(value));
  points = shorten(rows.filter((row) => row.mode === "burst" && row.p50)).flatMap((row) => {
    const value = hasAccuracy ? 100 * overview.accuracies[row.variant_id]?.share : overview.macs[row.variant_id] / 1e6;
    if (!Number.isFinite(value)) return [];
    const name = `${row.network}, ${row.recipe}`;
    return [{ ms: row.p50.ms, value, device: row.device, name, runs: row.runs, tip: `${row.device}\n${name}\n${formatMs(row.p50.ms)} ms, ${describe(value)}` }];
  });
  if (!points.length) {
    view = null;
    return clear("pareto-chart", text("noFigures"));
  }
  const times = points.map((point) => point.ms);
  extent = [Math.min(...times) / 1.5, Math.max(...times) * 1.5];
  const asked = Number(new URLSearchParams(location.search).get("budget"));
  if (budget === null) budget = asked > 0 ? asked : Math.sqrt(extent[0] * extent[1]);
  budget = Math.min(Math.max(budget, extent[0]), extent[1]);
  view = await drawPareto(points, findFront(), text(hasAccuracy ? "accuracyAxis" : "macsAxis"), extent);
  await show();
}

function findFront() {
  let best = -Infinity;
  return [...points].sort((one, other) => one.ms - other.ms || other.value - one.value).filter((point) => point.value > best && ((best = point.value), true));
}

async function show() {
  slider.value = Math.round(STEPS * Math.log(budget / extent[0]) / Math.log(extent[1] / extent[0]));
  slider.setAttribute("aria-valuetext", `${formatMs(budget)} ms`);
  document.getElementById("budget-value").textContent = `${formatMs(budget)} ms`;
  const fitting = points.filter((point) => point.ms <= budget).sort((one, other) => other.value - one.value || one.ms - other.ms)[0];
  document.getElementById("pareto-answer").textContent = fitting
    ? text("fits")(`${fitting.name} (${fitting.device})`, formatMs(fitting.ms), describe(fitting.value))
    : text("fitsNothing");
  if (view) await view.signal("budget", budget).runAsync();
}

async function setBudget(value) {
  budget = Math.min(Math.max(value, extent[0]), extent[1]);
  keep({ budget: formatMs(budget) });
  await show();
}

slider.addEventListener("input", () => setBudget(extent[0] * (extent[1] / extent[0]) ** (slider.value / STEPS)));

function pixel(event) {
  return event.clientX - chart.querySelector("svg").getBoundingClientRect().left - view.origin()[0];
}

const isNear = (event) => view && Math.abs(pixel(event) - view.scale("x")(budget)) <= NEAR_PX;

chart.addEventListener("pointerdown", (event) => {
  if (!isNear(event)) return;
  chart.setPointerCapture(event.pointerId);
  event.preventDefault();
});
chart.addEventListener("pointermove", (event) => {
  if (chart.hasPointerCapture(event.pointerId)) setBudget(view.scale("x").invert(pixel(event)));
  else chart.classList.toggle("near", isNear(event) === true);
});
