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
    const count = input.parentElement.nextElementSibling;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row) => { row.hidden = !words.every((w) => row.textContent.toLowerCase().includes(w)); });
      count.textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
    });
  });

  document.querySelectorAll("figure.plot").forEach((figure) => {
    const parts = [...figure.querySelectorAll("[data-series]")];
    const names = [...new Set(parts.map((part) => part.dataset.series))];
    // One button per series, in every figure that shows several.
    if (names.length > 1) {
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
    }

    // Values: of the marker nearest to the pointer, and of one after the other with the arrow keys.
    const canvas = figure.querySelector(".canvas");
    const points = [...canvas.querySelectorAll("[data-value]")];
    if (!points.length) return;
    const tip = document.createElement("div");
    tip.className = "hover";
    tip.hidden = true;
    tip.setAttribute("role", "status");
    canvas.append(tip);
    const centre = (point) => {
      const box = point.getBoundingClientRect(), place = canvas.getBoundingClientRect();
      return [box.x + box.width / 2 - place.x, box.y + box.height / 2 - place.y];
    };
    const visible = () => points.filter((point) => !point.closest(".off"));
    const show = (point) => {
      const [x, y] = centre(point);
      tip.hidden = false;
      tip.textContent = point.dataset.value;
      tip.style.left = `${Math.max(0, Math.min(x + 10, canvas.clientWidth - tip.offsetWidth))}px`;
      tip.style.top = `${y + 12}px`;
    };
    const hide = () => { tip.hidden = true; };
    canvas.addEventListener("pointermove", (event) => {
      const place = canvas.getBoundingClientRect();
      const [mx, my] = [event.clientX - place.x, event.clientY - place.y];
      let nearest = null, least = 20;
      visible().forEach((point) => {
        const [x, y] = centre(point), distance = Math.hypot(x - mx, y - my);
        if (distance < least) [nearest, least] = [point, distance];
      });
      if (nearest) show(nearest); else hide();
    });
    canvas.addEventListener("pointerleave", hide);
    canvas.addEventListener("blur", hide);
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "group");
    canvas.setAttribute("aria-label", "Plot; the arrow keys step through its values");
    let at = -1;
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], shown = visible();
      if (!step || !shown.length) return;
      event.preventDefault();
      at = (at + step + shown.length) % shown.length;
      show(shown[at]);
    });
  });
})();
