"use strict";
(() => {
  // Sort a table by the column whose heading was pressed; numbers as numbers, missing values last.
  const sortable = (cell) => {
    const raw = cell.dataset.value;
    if (raw === "" || raw === "nan" || raw === "None") return null;
    const number = raw === "inf" ? Infinity : raw === "-inf" ? -Infinity : Number(raw);
    return Number.isNaN(number) ? raw : number;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  };
  document.querySelectorAll("th button").forEach((button) => {
    button.addEventListener("click", () => {
      const heading = button.parentElement, table = heading.closest("table"), body = table.tBodies[0];
      const column = heading.cellIndex, up = heading.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("th").forEach((th) => th.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [sortable(row.cells[column]), row]);
      rows.sort(([a], [b]) => (a === null || b === null ? compare(a, b) : up ? compare(a, b) : compare(b, a)));
      body.append(...rows.map(([, row]) => row));
    });
  });

  document.querySelectorAll("input[data-filter]").forEach((input) => {
    const rows = [...document.getElementById(input.dataset.filter).tBodies[0].rows];
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row) => { row.hidden = !words.every((w) => row.textContent.toLowerCase().includes(w)); });
    });
  });

  // One button per series of a figure, in every figure that shows several.
  document.querySelectorAll("figure.plot").forEach((figure) => {
    const parts = [...figure.querySelectorAll("[data-series]")];
    const names = [...new Set(parts.map((part) => part.dataset.series))];
    if (names.length < 2) return;
    names.forEach((name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        parts.filter((p) => p.dataset.series === name).forEach((p) => p.classList.toggle("off", !on));
      });
      figure.querySelector(".toggles").append(button);
    });
  });
})();
