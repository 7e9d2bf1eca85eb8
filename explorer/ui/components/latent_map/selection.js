// The selection: taken from an outline, kept through redraws, cleared, and restored where the map is built anew.

// What an outline was drawn around. Shift keeps what was selected before.
function takeSelection(m, event) {
  const before = m.shift && m.selected ? [...m.selected] : [];
  const ids = [...new Set([...before, ...event.points.map((point) => Number(point.customdata))])];
  let kind = "lasso";
  let outline;
  if (event.lassoPoints) {
    outline = event.lassoPoints.x.map((x, i) => [x, event.lassoPoints.y[i]]);
  } else {
    kind = "box";
    const [x0, x1] = event.range.x;
    const [y0, y1] = event.range.y;
    outline = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  }
  m.outlines = [...(before.length ? m.outlines : []), outline];
  m.selected = new Set(ids);
  m.selectedAt = Date.now();
  m.component.setStateValue("selected", { ids, kind, outline, revision: m.revision, t: m.selectedAt });
  showSelection(m);
  draw(m);
}

function selectedRows(m) {
  if (!m.selected) return null;
  const rows = [];
  m.shown.forEach((row, i) => {
    if (m.selected.has(Number(m.figure.ids[row]))) rows.push(i);
  });
  return rows;
}

function clearSelection(m) {
  if (!m.selected) return;
  // Not null: that would be no news where Python remembers what this page has never said.
  forgetSelection(m, { cleared: true, revision: m.revision, t: Date.now() });
  draw(m);
}

// Without drawing: also when another model takes the place of the one that was selected in.
function forgetSelection(m, said) {
  if (!m.selected) return;
  m.selected = null;
  m.outlines = [];
  m.selectedAt = Date.now();
  m.component.setStateValue("selected", said);
  showSelection(m);
}

// What Python remembers from before the map was built: whoever selected or cleared since then knows better.
function restoreSelection(m) {
  const { restore } = m.component.data;
  if (!restore || m.selected || restore.revision !== m.revision || restore.t <= m.selectedAt) return false;
  m.selected = new Set(restore.ids);
  m.outlines = [restore.outline];
  m.selectedAt = restore.t;
  showSelection(m);
  return true;
}

function showSelection(m) {
  m.root.dataset.selected = m.selected ? String(m.selected.size) : "";
  m.note.textContent = m.selected ? `${m.selected.size.toLocaleString("en")} selected` : "";
  m.clear.hidden = !m.selected;
}
