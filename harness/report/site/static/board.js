// Leaderboards: the rows come from a script beside the page, DataTables sorts and searches them.
"use strict";
(() => {
  const PAGE = 100; // rows shown at a time; all of them where there are no more
  const PHONE = window.matchMedia("(max-width: 600px)");
  const boards = window.harnessBoards.map((data) => ({ data, table: null }));

  const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

  const linked = ([text, href], label) => {
    if (!href) return escaped(text);
    const name = label ? ` aria-label="${escaped(label)}"` : "";
    return `<a href="${escaped(href)}"${name}>${escaped(text)}</a>`;
  };

  // What DataTables shows, sorts and searches of a cell, by the kind of its column.
  const shown = {
    text: (cell) => escaped(cell ?? ""),
    number: (cell) => escaped(cell ? cell[0] : ""),
    link: (cell, column, row) =>
      linked(cell, column.name === "link" ? `Link to ${row.cells[0][0]} ${row.bits}` : ""),
    links: (cell) => cell.map((link) => linked(link)).join(" "),
  };
  const sorted = {
    text: (cell) => cell ?? "",
    number: (cell) => (cell ? cell[1] : null),
    link: (cell) => cell[0],
    links: (cell) => cell.length,
  };

  // Cells without a number come last, whichever way the others are sorted.
  const lastly = (sign) => (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (a - b);
  };
  DataTable.ext.type.order["known-first-asc"] = lastly(1);
  DataTable.ext.type.order["known-first-desc"] = lastly(-1);

  const definition = (column, index) => ({
    name: column.name,
    title: escaped(column.title),
    data: (row, type) => {
      const cell = row.cells[index];
      if (type === "display") return shown[column.kind](cell, column, row);
      if (type === "filter") return column.kind === "links" ? "" : column.kind === "text" ? cell : cell ? cell[0] : "";
      return sorted[column.kind](cell);
    },
    type: column.kind === "number" ? "known-first" : "string",
    className: column.kind === "number" ? "number" : `dt-left ${column.kind}`,
    cellType: column.name === "method" ? "th" : "td",
    orderable: column.kind === "number" || column.name === "method",
    orderSequence: column.best === "high" ? ["desc", "asc"] : ["asc", "desc"],
    visible: column.shown === "always" || (column.shown === "wide" && !PHONE.matches),
  });

  // Makes the table of a board, once; false where it was there.
  const build = (board) => {
    if (board.table) return false;
    const { data } = board;
    const place = document.getElementById(data.name);
    const table = new DataTable(place.querySelector("table"), {
      data: data.rows,
      columns: [{ data: (row) => (row.kind === "reference" ? 0 : 1), visible: false, name: "first", title: "" },
                ...data.columns.map(definition)],
      order: [],
      orderFixed: { pre: [[0, "asc"]] }, // full precision stays on top
      paging: data.rows.length > PAGE,
      pageLength: PAGE,
      autoWidth: false,
      deferRender: true,
      layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: data.rows.length > PAGE ? "paging" : null },
      language: { info: "Rows _START_ to _END_ of _TOTAL_", infoEmpty: "No rows", infoFiltered: "(of _MAX_)",
                  zeroRecords: "No row fits the search and the filters" },
      createdRow: (line, row) => {
        line.dataset.key = row.key;
        line.classList.add(row.kind);
        line.firstElementChild?.setAttribute("scope", "row");
      },
    });
    data.columns.forEach((column, index) => {
      const head = table.column(index + 1).header();
      head.setAttribute("scope", "col");
      if (column.help) head.title = column.help;
    });
    Object.assign(board, { place, table, controls: place.querySelector(".controls") });
    control(board);
    return true;
  };

  // The search, the filters and the choice of columns: plain form controls, which a keyboard reaches.
  const control = ({ data, place, table, controls }) => {
    const search = controls.querySelector("input[type=search]");
    const [bits, method] = ["bits", "method"].map((name) => controls.querySelector(`select[name=${name}]`));
    search.addEventListener("input", () => table.search(search.value).draw());
    table.search.fixed("filters", (text, row) => row.kind === "reference" ||
      ((!bits.value || row.bits === bits.value) && (!method.value || row.method === method.value)));
    for (const select of [bits, method]) select.addEventListener("change", () => table.draw());
    const chooser = controls.querySelector(".columns div");
    data.columns.forEach((column, index) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = table.column(index + 1).visible();
      box.addEventListener("change", () => table.column(index + 1).visible(box.checked));
      label.append(box, ` ${column.title}`);
      if (column.help) label.title = column.help;
      chooser.append(label);
    });
    controls.addEventListener("reset", () => setTimeout(() => table.search("").draw()));
    controls.addEventListener("submit", (event) => event.preventDefault());
    controls.hidden = false;
    place.querySelector(".scroll").setAttribute("tabindex", "0");
  };

  // A row by its address: #KEY, or the identity of any of its records; also ?row=IDENTITY.
  const wanted = () => {
    try {
      return decodeURIComponent(location.hash.slice(1)) || new URLSearchParams(location.search).get("row") || "";
    } catch {
      return "";
    }
  };

  const holder = (key) => {
    for (const test of [(row) => row.key === key, (row) => row.identities.includes(key)]) {
      const board = boards.find(({ data }) => data.rows.some(test));
      if (board) return [board, board.data.rows.findIndex(test)];
    }
    return null;
  };

  const goTo = (key) => {
    document.querySelectorAll("tr.wanted").forEach((line) => line.classList.remove("wanted"));
    const found = key && holder(key);
    if (!found) return;
    build(found[0]);
    reveal(...found);
  };

  const reveal = ({ data, table, controls }, index) => {
    const position = () => table.rows({ order: "current", search: "applied" }).indexes().indexOf(index);
    if (position() < 0) {
      controls.reset();
      table.search("").draw();
    }
    if (data.rows.length > PAGE) table.page(Math.floor(position() / table.page.len())).draw("page");
    const line = table.row(index).node();
    line.classList.add("wanted");
    line.tabIndex = -1;
    line.focus({ preventScroll: true });
    line.scrollIntoView({ block: "center", inline: "nearest" });
  };

  // The board that is asked for, or else the first, is there when the page is; the others follow one by one.
  const buildRest = () => {
    if (boards.some(build)) setTimeout(buildRest);
    else document.body.dataset.boards = "built";
  };

  document.addEventListener("DOMContentLoaded", () => {
    goTo(wanted());
    buildRest();
    window.addEventListener("hashchange", () => goTo(wanted()));
  });
  const show = (rows) => boards.forEach((board) => {
    build(board);
    if (board.data.rows.length > PAGE) board.table.page.len(rows).draw();
  });
  window.addEventListener("beforeprint", () => show(-1));
  window.addEventListener("afterprint", () => show(PAGE));
})();
