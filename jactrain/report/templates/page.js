"use strict";
// Sorts a table by the column whose header is pressed: numbers by value, blanks last in both directions.
function valueOf(cell, isNumber) {
  const text = isNumber ? cell.dataset.value : (cell.dataset.text ?? cell.textContent).trim();
  return text === undefined || text === "" ? null : isNumber ? Number(text) : text;
}

function compare(one, other, direction) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one === "number") return direction * (one - other);
  return direction * one.localeCompare(other, undefined, { numeric: true });
}

function sort(header) {
  const table = header.closest("table"), body = table.tBodies[0];
  const isNumber = header.classList.contains("number");
  const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const rows = Array.from(body.rows, (row) => ({ row, value: valueOf(row.cells[header.cellIndex], isNumber) }));
  rows.sort((one, other) => compare(one.value, other.value, direction));
  body.append(...rows.map((entry) => entry.row));
  for (const other of header.parentElement.cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sort(button.closest("th")));
}

// What is folded away on a screen is printed, but for the data of figures after the first.
let opened = [];
addEventListener("beforeprint", () => {
  opened.push(...document.querySelectorAll("details:not([open]):not(.data), details.first:not([open])"));
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
  opened = [];
});
