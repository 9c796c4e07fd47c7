// Tables that are sorted by a press on a column's name, the other way round by the next.

const collator = new Intl.Collator(undefined, { numeric: true });

function valueOf(row, column) {
  const cell = row.children[column];
  return cell.dataset.value ?? cell.textContent.trim();
}

function sort(table, column, button) {
  const head = button.closest("th");
  const isUp = head.getAttribute("aria-sort") !== "ascending";
  for (const each of table.querySelectorAll("th[aria-sort]")) {
    each.removeAttribute("aria-sort");
  }
  head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => collator.compare(valueOf(a, column), valueOf(b, column)));
  body.append(...(isUp ? rows : rows.reverse()));
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pick";
    button.textContent = cell.textContent;
    button.addEventListener("click", () => sort(table, column, button));
    cell.replaceChildren(button);
  });
}
