"use strict";
(() => {
  const root = document.documentElement;
  const THEME = "mobisdk-report-theme";

  // Storage may be forbidden, as in a private window or for a file: then the theme lasts as long as the page.
  const remember = (theme) => { try { localStorage.setItem(THEME, theme); } catch { /* it is not remembered */ } };
  const remembered = () => { try { return localStorage.getItem(THEME); } catch { return null; } };

  const systemTheme = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const theme = () => root.dataset.theme || systemTheme();
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();

  function offerThemes() {
    const button = document.getElementById("theme");
    const name = () => { button.textContent = theme() === "dark" ? "Light theme" : "Dark theme"; };
    button.addEventListener("click", () => {
      root.dataset.theme = theme() === "dark" ? "light" : "dark";
      remember(root.dataset.theme);
      name();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    name();
    button.hidden = false;
  }

  function compare(a, b) {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  }

  // A first click sorts upwards, a second downwards. What is missing stays at the end either way.
  function sortBy(header) {
    const direction = header.ariaSort === "ascending" ? -1 : 1;
    const column = header.cellIndex;
    const body = header.closest("table").tBodies[0];
    const value = (row) => row.cells[column].dataset.value;
    const rows = [...body.rows].sort((a, b) => {
      const missing = value(a) === undefined || value(b) === undefined;
      return compare(value(a), value(b)) * (missing ? 1 : direction);
    });
    for (const other of header.parentElement.cells) other.ariaSort = "none";
    header.ariaSort = direction === 1 ? "ascending" : "descending";
    body.append(...rows);
  }

  let config;
  // The interpreter runs Vega's expressions without eval, which the page's policy forbids.
  const options = () => ({
    mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, config,
    tooltip: { disableDefaultStyle: true },
  });

  async function draw(figure) {
    const chart = figure.querySelector(".chart");
    if (chart.dataset.state) return;
    chart.dataset.state = "drawing";
    try {
      await vegaEmbed(chart, JSON.parse(figure.querySelector("script").textContent), options());
      chart.dataset.state = "drawn";
    } catch (error) {
      chart.dataset.state = "failed";
      chart.textContent = `This chart cannot be drawn: ${error.message}`;
      console.error(error);
    }
  }

  // A closed section has no width to draw in, so its charts wait until it is opened.
  function drawOpen(section) {
    if (section.open) section.querySelectorAll("figure").forEach(draw);
  }

  document.addEventListener("DOMContentLoaded", () => {
    config = JSON.parse(document.getElementById("chart-config").textContent);
    offerThemes();
    document.querySelectorAll("th button").forEach((button) => {
      button.addEventListener("click", () => sortBy(button.parentElement));
    });
    document.querySelectorAll("details.device").forEach((section) => {
      section.addEventListener("toggle", () => drawOpen(section));
      drawOpen(section);
    });
  });
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details.device").forEach((section) => {
      section.open = true;
      drawOpen(section);
    });
  });
})();
