// What is shown, kept in the address: a link shows another person the same.

export const NAMES = ["device_id", "platform", "arch", "recipe", "mode"];

export function readFilters() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
}

/** Write `values` into the address; null takes a key out. The other keys stay. */
export function keep(values) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const search = query.toString();
  history.replaceState(null, "", search ? `?${search}` : location.pathname);
}

export function matches(row, filters) {
  return Object.entries(filters).every(([name, value]) => row[name] === value);
}

/** Fill each select with the values that there are, and point the downloads at what is shown. */
export function offerFilters(form, rows, filters, allText, labelOf) {
  for (const name of NAMES) {
    const select = form.elements[name];
    const labels = new Map();
    for (const row of rows) if (row[name] !== null) labels.set(row[name], name === "device_id" ? row.device : labelOf(row[name]));
    if (filters[name] && !labels.has(filters[name])) labels.set(filters[name], filters[name]);
    const wanted = JSON.stringify([allText, ...labels]);
    if (select.dataset.offered !== wanted) {
      select.dataset.offered = wanted;
      select.replaceChildren(new Option(allText, ""), ...[...labels].map(([value, label]) => new Option(label, value)));
    }
    select.value = filters[name] ?? "";
  }
  for (const format of ["csv", "json", "parquet"]) {
    const query = new URLSearchParams({ ...filters, format });
    document.getElementById(`download-${format}`).href = `/v1/figures?${query}`;
  }
}
