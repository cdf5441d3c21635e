"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main");
const COLOURS = ["#3f7fd1", "#e5861c", "#c2417c", "#2f9088", "#8a63d2", "#9a7a1c", "#5f6b7a", "#c4473a"];

/* An element: text children are text, never markup. */
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}
const number = (x, digits = 3) => x === null || x === undefined ? "–" : x.toFixed(digits);
const whole = x => x === null || x === undefined ? "–" : Math.round(x).toLocaleString("en");
const percent = x => x === null || x === undefined ? "–" : `${Math.round(100 * x)} %`;
const signed = (x, digits = 2) => x === null || x === undefined ? "–" : (x > 0 ? "+" : x < 0 ? "−" : "") + Math.abs(x).toFixed(digits);

function section(id, title, ...children) {
  document.getElementById("nav").append(el("a", {href: `#${id}`}, title));
  main.append(el("section", {id}, el("h2", {}, title), ...children));
}
function download(name, text, type) {
  return el("button", {type: "button", onclick: () => {
    const link = el("a", {href: URL.createObjectURL(new Blob([text], {type})), download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }}, `Save ${name}`);
}

/* Learning curves: one chart a quantity, one switch a run, all charts read at the same place. */
function curves() {
  if (!data.panels.length) return;
  const labels = data.runs.map(run => run.label), shown = labels.map(() => true), charts = [];
  const colour = label => COLOURS[labels.indexOf(label) % COLOURS.length];
  const legend = el("div", {class: "legend", id: "legend"});
  labels.forEach((label, i) => legend.append(el("button", {type: "button", "aria-pressed": "true", onclick: event => {
    shown[i] = !shown[i];
    event.currentTarget.setAttribute("aria-pressed", String(shown[i]));
    for (const chart of charts) chart.show(label, shown[i]);
  }}, el("span", {class: "swatch", style: `background:${colour(label)}`}), label)));
  const grid = el("div", {class: "charts"});
  section("curves", "Learning curves", legend, grid, el("p", {class: "note"}, data.note),
    el("p", {class: "note"}, "Point at a chart to read it; drag across one to enlarge, double-click to see all again; press a name to switch its curve off."));
  for (const panel of data.panels) charts.push(chart(panel, grid, colour));
}
function chart(panel, grid, colour) {
  const reading = el("div", {class: "reading"}), place = el("div", {});
  grid.append(el("div", {class: "chart", "data-panel": panel.name}, el("h3", {}, panel.name), place, reading));
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--muted").trim(), line = style.getPropertyValue("--line").trim();
  const series = [{}], bands = [], tables = [], owners = [null];
  for (const curve of panel.curves) {
    const stroke = colour(curve.label);
    for (const edge of ["high", "low"]) { series.push({stroke: "transparent", width: 0, points: {show: false}, spanGaps: true}); owners.push(curve.label); }
    bands.push({series: [series.length - 2, series.length - 1], fill: stroke + "33"});
    series.push({label: curve.label, stroke, width: 2, points: {show: false}, spanGaps: true});
    owners.push(curve.label);
    tables.push([curve.env_steps, curve.high, curve.low, curve.centre]);
  }
  const span = tables.map(t => t[0]).flat(), ends = [Math.min(...span), Math.max(...span)];
  for (const level of panel.levels) {
    series.push({label: level.label, stroke: ink, width: 1.5, dash: [6, 4], points: {show: false}, spanGaps: true});
    owners.push(null);
    tables.push([ends, [level.value, level.value]]);
  }
  const values = uPlot.join(tables);
  const nearest = (u, s, at) => {
    const ys = u.data[s];
    if (ys[at] !== null && ys[at] !== undefined) return at;
    for (let d = 1; d < ys.length; d++) for (const i of [at - d, at + d]) if (ys[i] !== null && ys[i] !== undefined) return i;
    return at;
  };
  const width = () => Math.max(200, place.clientWidth);
  const plot = new uPlot({
    width: width(), height: 260, series, bands, legend: {show: false},
    scales: {x: {time: false}},
    axes: [
      {stroke: ink, grid: {stroke: line}, ticks: {stroke: line}, label: panel.along, labelSize: 22, values: (u, ticks) => ticks.map(x => x >= 1e6 ? `${+(x / 1e6).toFixed(2)}M` : x >= 1e3 ? `${+(x / 1e3).toFixed(1)}k` : x)},
      {stroke: ink, grid: {stroke: line}, ticks: {stroke: line}, size: 52},
    ],
    cursor: {sync: {key: "steps"}, dataIdx: nearest, points: {size: 7}},
    hooks: {setCursor: [u => {
      const at = u.cursor.idx;
      reading.replaceChildren();
      if (at === null || at === undefined) { reading.append("\u00a0"); return; }
      reading.append(`at ${whole(u.data[0][at])}: `);
      let first = true;
      series.forEach((one, s) => {
        if (!one.label || !u.series[s].show) return;
        const i = nearest(u, s, at), y = u.data[s][i];
        if (y === null || y === undefined) return;
        const band = owners[s] ? ` [${number(u.data[s - 1][i])}, ${number(u.data[s - 2][i])}]` : "";
        reading.append(first ? "" : "; ", `${one.label} `, el("b", {}, number(y)), band);
        first = false;
      });
    }]},
  }, values, place);
  new ResizeObserver(() => { if (Math.abs(plot.width - width()) > 1) plot.setSize({width: width(), height: 260}); }).observe(place);
  return {show: (label, on) => owners.forEach((owner, s) => { if (owner === label) plot.setSeries(s, {show: on}); })};
}

/* A table that turns into cards where the window is narrow. Columns: {title, cell, key}. */
function table(columns, rows, id) {
  const body = el("tbody", {});
  const fill = () => body.replaceChildren(...rows.map(row => el("tr", row.attributes || {}, columns.map((column, i) =>
    el(i ? "td" : "th", {"data-label": column.title, scope: i ? null : "row", class: column.class}, column.cell(row))))));
  const heads = columns.map(column => {
    const head = el("th", {scope: "col"});
    head.append(column.key ? el("button", {type: "button", onclick: () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rank = row => { const key = column.key(row); return key === null || key === undefined ? (up ? Infinity : -Infinity) : key; };
      rows.sort((a, b) => { const x = rank(a), y = rank(b); return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1); });
      fill();
    }}, column.title) : column.title);
    return head;
  });
  fill();
  return el("table", {class: "rows", id}, el("thead", {}, el("tr", {}, heads)), body);
}
const interval = value => value ? `${number(value.iqm)} [${number(value.low)}, ${number(value.high)}]` : "–";

function summary() {
  const columns = [
    {title: "run", cell: row => row.label, key: row => row.label},
    {title: "success", cell: row => interval(row.success), key: row => row.success && row.success.iqm},
    {title: "return", cell: row => interval(row.return), key: row => row.return && row.return.iqm},
    {title: "length", cell: row => row.length ? `${number(row.length.iqm, 1)} [${number(row.length.low, 1)}, ${number(row.length.high, 1)}]` : "–", key: row => row.length && row.length.iqm},
    {title: "steps to 0.95", cell: row => row.success ? (row.steps_to_95 === null ? "not reached" : whole(row.steps_to_95)) : "–", key: row => row.steps_to_95},
    {title: "teacher alone", cell: row => number(row.teacher_success), key: row => row.teacher_success},
    {title: "seeds", cell: row => String(row.seeds), key: row => row.seeds},
    {title: "steps a seed", cell: row => whole(row.env_steps), key: row => row.env_steps},
    {title: "training", cell: row => row.train_seconds === null ? "–" : `${number(row.train_seconds, 1)} s`, key: row => row.train_seconds},
  ];
  section("summary", "Summary", table(columns, data.runs.map(run => run.summary), "summary-table"),
    el("p", {class: "note"}, "Success, return and length: interquartile mean over seeds and its 95 % bootstrap interval, on fresh episodes after training. Steps to 0.95: environment steps a seed at which success while learning first reached 0.95, median over seeds."),
    data.runs.flatMap(run => run.notes.map(note => el("p", {class: "note"}, `${run.label}: ${note}`))));
}

const plansOf = row => row.plans.map(plan => el("div", {}, el("span", {class: "teacher"}, percent(plan.probability)), ` ${plan.text}`));
function bar(kind, share) { return el("span", {class: `bar ${kind}`}, el("i", {style: `width:${(100 * share).toFixed(1)}%`})); }
function gain(row, name) {
  if (!row.pairs) return el("span", {class: "muted"}, "not played");
  const {mean, low, high} = row[name];
  return el("span", {class: high < 0 ? "bad" : low > 0 ? "good" : ""}, `${signed(mean)} [${signed(low)}, ${signed(high)}]`);
}
const departs = row => row.departs ? `${percent(row.departs)}, mostly ${row.departs_to} instead of ${row.departs_from}` : "0 %";
const arms = row => `${percent(row.follow.success)} following, ${percent(row.own.success)} its own way, ${percent(row.depart.success)} departing`;
function audit() {
  if (!data.audits.length) return;
  const place = el("div", {});
  const choice = el("select", {"aria-label": "run to audit", onchange: () => show(data.audits[choice.selectedIndex])},
    data.audits.map(one => el("option", {}, one.label)));
  section("audit", "Teacher audit",
    el("p", {}, "Where the teacher errs, and whether its students correct it. Episodes that pass through an abstract state are played three times from the same layout with the same random numbers. While it is in that state the student does as the teacher says, acts as it has learnt, or does anything but what the teacher says; everywhere else it acts as it has learnt. The advantage of following is the difference of the returns: below zero, the teacher's row costs more than it gives."),
    data.audits.length > 1 ? choice : null, place,
    el("div", {class: "controls"}, download("audit.json", JSON.stringify({audits: data.audits}, null, 1), "application/json"), download("audit.csv", data.audit_csv, "text/csv")));
  function show(one) {
    const wrong = one.rows.filter(row => row.verdict === "wrong"), seen = one.rows.filter(row => row.visits);
    const cards = el("ol", {class: "cards", id: "wrong-rows"}, wrong.slice(0, 12).map(row => el("li", {"data-state": row.state},
      el("h4", {}, row.state),
      el("p", {}, "The teacher says ", el("span", {class: "teacher"}, row.plans.slice(0, 2).map(p => `${p.text} (${percent(p.probability)})`).join(" or ")), row.corrupted ? " (an error that --corrupt put in)." : "."),
      el("p", {}, "Advantage of following over the student's own way ", gain(row, "over_own"), ", over departing ", gain(row, "over_departing"), "."),
      el("p", {}, `Success: ${arms(row)} (${row.pairs} episodes).`),
      el("p", {}, `At ${whole(row.visits)} visits the student departs: ${departs(row)}; KL ${number(row.kl, 2)}.`))));
    const columns = [
      {title: "state", cell: row => [row.state, row.corrupted ? el("div", {class: "bad"}, "changed by --corrupt") : null], key: row => row.state},
      {title: "teacher's plans", cell: plansOf},
      {title: "following − own way", cell: row => gain(row, "over_own"), key: row => row.pairs ? row.over_own.mean : null},
      {title: "following − departing", cell: row => gain(row, "over_departing"), key: row => row.pairs ? row.over_departing.mean : null},
      {title: "success", cell: row => row.pairs ? arms(row) : "–", key: row => row.pairs ? row.follow.success : null},
      {title: "prefers on average", cell: row => ["teacher", "student"].map(who => [el("span", {class: who}, `${row[who + "_action"]} ${percent(row[who + "_share"])}`), bar(who, row[who + "_share"])]).flat(), key: row => row.student_action},
      {title: "KL", cell: row => number(row.kl, 2), key: row => row.kl, class: "plain"},
      {title: "departs", cell: departs, key: row => row.departs},
      {title: "visits", cell: row => whole(row.visits), key: row => row.visits, class: "plain"},
      {title: "episodes through it", cell: row => `${whole(row.episodes)}, ${percent(row.success)} succeed`, key: row => row.success},
    ];
    place.replaceChildren(
      el("h3", {}, wrong.length ? `Rows of ${one.teacher} that students do better without: ${wrong.length}` : `No row of ${one.teacher} was measured to be wrong`), cards,
      el("h3", {}, `The ${seen.length} states that were visited, of ${one.listed}: the most harmful row first`),
      table(columns, seen, "audit-table"),
      el("p", {class: "note"}, one.note));
  }
  const errs = data.audits.map(one => one.rows.filter(row => row.verdict === "wrong").length);
  choice.selectedIndex = errs.indexOf(Math.max(...errs));
  show(data.audits[choice.selectedIndex]);
}

/* The episode player. */
function player() {
  if (!data.episodes.length) return;
  const stage = el("div", {class: "stage"}), words = el("div", {class: "words"}), where = el("output", {id: "where"});
  const slider = el("input", {type: "range", min: 0, value: 0, "aria-label": "step", oninput: () => go(+slider.value)});
  let episode = data.episodes[0], at = 0, timer = null;
  const play = el("button", {type: "button", id: "play", onclick: () => timer ? pause() : start()}, "Play");
  const choice = el("select", {id: "episode", "aria-label": "episode", onchange: () => load(data.episodes[choice.selectedIndex])},
    data.episodes.map(one => el("option", {}, `${one.label}, seed ${one.seed}, layout ${one.number}: ${one.ending.toLowerCase()}`)));
  function start() {
    if (at === episode.moments.length - 1) go(0);
    play.textContent = "Pause";
    timer = setInterval(() => at < episode.moments.length - 1 ? go(at + 1) : pause(), 250);
  }
  function pause() { clearInterval(timer); timer = null; play.textContent = "Play"; }
  function load(one) { pause(); episode = one; slider.max = one.moments.length - 1; go(0); }
  function go(to) {
    at = Math.max(0, Math.min(episode.moments.length - 1, to));
    slider.value = at;
    const moment = episode.moments[at], over = moment.action === null;
    where.textContent = over ? `step ${at}: ${episode.ending}, return ${number(episode.reward, 2)}` : `step ${at} of at most ${episode.max_steps}`;
    const choose = over && at ? episode.moments[at - 1] : moment;
    stage.replaceChildren(
      ...moment.panels.map(([name, picture]) => el("figure", {}, el("figcaption", {}, name), el("img", {src: data.pictures[picture], alt: name}))),
      el("div", {id: "bars"}, el("div", {class: "note"}, el("span", {class: "student"}, "■ student "), choose.teacher ? el("span", {class: "teacher"}, "■ teacher") : null),
        episode.actions.map((name, a) => el("div", {class: a === choose.action ? "action taken" : "action"}, el("span", {}, name),
          el("span", {class: "bars"}, bar("student", choose.student[a]), choose.teacher ? bar("teacher", choose.teacher[a]) : null),
          el("span", {class: "figures"}, el("div", {class: "student"}, number(choose.student[a], 2)), choose.teacher ? el("div", {class: "teacher"}, number(choose.teacher[a], 2)) : null)))));
    words.replaceChildren(
      moment.mission ? el("div", {}, `Mission: ${moment.mission}`) : "",
      el("div", {id: "caption"}, moment.caption),
      ...moment.plans.map(([text, share]) => el("div", {}, el("span", {class: "teacher"}, percent(share)), ` ${text}`)),
      moment.held ? el("div", {class: "muted"}, `carries ${moment.held[0]} `, moment.held[1] === null ? null : el("img", {src: data.pictures[moment.held[1]], alt: ""})) : "");
  }
  const keys = event => {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (step && event.target !== slider && event.target.tagName !== "SELECT") { event.preventDefault(); pause(); go(at + step); }
  };
  section("episodes", "Episodes", el("div", {class: "player", tabindex: 0, onkeydown: keys},
    el("div", {class: "controls"}, choice,
      el("button", {type: "button", id: "back", "aria-label": "one step back", onclick: () => { pause(); go(at - 1); }}, "◀"), play,
      el("button", {type: "button", id: "on", "aria-label": "one step on", onclick: () => { pause(); go(at + 1); }}, "▶"), slider, where),
    stage, words), el("p", {class: "note"}, "Arrow keys step, too. Bars: how likely student and teacher take each action; the one taken is marked."));
  load(episode);
}

function configuration() {
  section("configuration", "Configuration, and how to repeat it", data.runs.map(run => el("div", {},
    el("h3", {}, run.label),
    el("p", {}, "Every setting of this run is in its config.json; to run it again, to the same bits on the same device and versions:"),
    el("pre", {}, run.repeat.join("\n")),
    el("div", {class: "controls"}, download("config.json", run.config, "application/json")),
    el("details", {}, el("summary", {}, "Settings, versions and device"),
      el("dl", {}, run.settings.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))))));
}

summary();
curves();
audit();
player();
configuration();
document.documentElement.setAttribute("data-ready", "true");
})();
