// SPDX-License-Identifier: MIT
// Asks /-/stats once a second, writes each figure where the page names it, and draws the last
// minute. The page is the list of what is shown; this knows only how.
"use strict";

const PERIOD_MS = 1000, PATIENCE_MS = 5000, SPAN_S = 60;
const HEIGHT = 132, LEFT = 52, TOP = 8, BOTTOM = 18;

// What was drawn last, and what the rates were taken against; for whoever looks from outside.
const page = window.page = {updates: 0, now: null, before: null};

const past = []; // {at: ms on the page's clock, figures: Map}
let timer = 0, asking = false, answered = new Date();

function look(stats, path) {
	return path.split(".").reduce((at, key) => at?.[key], stats) ?? null;
}

function change(path) {
	const now = look(page.now, path), before = look(page.before, path);
	return now === null || before === null ? null : now - before;
}

// Of what was added to a histogram since the last answer: the limit of the bucket that decides.
function quantile(path, q) {
	const before = new Map(look(page.before, path + ".buckets"));
	const added = (look(page.now, path + ".buckets") ?? []).map(
		([limit, count]) => [limit, count - (before.get(limit) ?? 0)]);
	let left = Math.ceil(q * added.reduce((sum, [, count]) => sum + count, 0));
	if (!page.before || !left)
		return null;
	const [limit] = added.find(([, count]) => (left -= count) <= 0);
	return Math.min(limit, look(page.now, path + ".longest_us"));
}

// A path into the JSON, or "how:path". Null is what the server does not tell, or cannot tell yet.
function figure(name) {
	const [how, path] = name.includes(":") ? name.split(":") : ["", name];
	switch (how) {
	case "rate": {
		const count = change(path);
		return count === null ? null : count / (change("uptime_us") / 1e6);
	}
	case "p50":
	case "p99":
		return quantile(path, Number(how.slice(1)) / 100);
	case "last":
		return look(page.now, path)?.at(-1) ?? null;
	default:
		return look(page.now, path);
	}
}

const UNITS = {
	bytes: ["B", "kB", "MB", "GB", "TB", "PB"],
	time: ["ns", "µs", "ms", "s"],
	count: ["", "k", "M", "G"],
};

// Three digits and a unit; times come in microseconds.
function short(value, as) {
	const units = UNITS[as] ?? UNITS.count;
	let number = as === "time" ? value * 1000 : value, at = 0;
	for (; number >= 999.5 && at < units.length - 1; at++)
		number /= 1000;
	return `${Number(number.toPrecision(3))} ${value ? units[at] : ""}`.trim();
}

function age(us) {
	const s = Math.floor(us / 1e6), two = n => String(n).padStart(2, "0");
	const days = Math.floor(s / 86400), hours = Math.floor(s / 3600) % 24;
	const clock = `${two(hours)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
	return days ? `${days} d ${clock}` : clock;
}

function text(value, as) {
	if (value === null)
		return "–";
	if (as === "text")
		return value;
	if (as === "age")
		return age(value);
	if (as === "count" || as === "rate")
		return Math.round(value).toLocaleString("en");
	return short(value, as);
}

// What a template holds, for one pool; then each section of a pool gets its charts, and each row of
// the pools' tables its cells.
function fill(template, pool) {
	return template.innerHTML.replaceAll("POOL", pool);
}

const pools = [...document.querySelectorAll("[data-pool]")];
for (const section of pools)
	section.insertAdjacentHTML("beforeend",
		fill(document.getElementById("pool"), section.dataset.pool));
for (const cells of document.querySelectorAll("tr template"))
	cells.outerHTML = pools.map(section => fill(cells, section.dataset.pool)).join("");

const shown = [...document.querySelectorAll("data")];

function write(figures) {
	for (const element of shown) {
		const value = figures.get(element.dataset.figure);
		element.value = value ?? "";
		element.textContent = text(value, element.dataset.as);
	}
}

// The least round number that is not below, and whose half is round too.
function roundUp(value, least) {
	const power = 10 ** Math.floor(Math.log10(Math.max(value, least)));
	return power * [1, 2, 4, 6, 8, 10].find(step => step * power >= Math.max(value, least) * 0.9999);
}

// From a value to its height, and the values that have a line.
function axis(chart, values) {
	const most = Math.max(0, ...values);
	const high = HEIGHT - BOTTOM - TOP;
	if (chart.scale === "log") {
		const above = values.filter(value => value > 0);
		const least = above.length ? Math.floor(Math.log10(Math.min(...above))) : 0;
		const decades = Math.max(3, Math.ceil(Math.log10(most)) - least), ticks = [];
		for (let at = 0; at <= decades; at += decades > 4 ? 2 : 1)
			ticks.push(10 ** (least + at));
		const share = value => Math.max(0, Math.log10(value) - least) / decades;
		return {ticks, y: value => TOP + high * (1 - share(value))};
	}
	const top = roundUp(most, chart.as === "time" ? 1000 : 2);
	return {ticks: [0, top / 2, top], y: value => TOP + high * (1 - value / top)};
}

// The points of one line: [seconds ago, value]. The server itself remembers the lag.
function points(name, now) {
	if (name.startsWith("last:")) {
		const all = look(page.now, name.slice(5)) ?? [];
		return all.map((value, at) => [all.length - at, value]);
	}
	return past.map(({at, figures}) => [(now - at) / 1000, figures.get(name) ?? null]);
}

function bars(series, x, y) {
	const wide = Math.max(1, x(0) - x(1) - 1.5);
	return series.points.map(([ago, value]) => {
		const top = Math.min(y(value), y(0) - 1);
		return `<rect class="bar ${series.ink}" x="${x(ago).toFixed(1)}" y="${top.toFixed(1)}"
			width="${wide.toFixed(1)}" height="${(y(0) - top).toFixed(1)}"/>`;
	}).join("");
}

// A line breaks where an answer is missing.
function line(series, x, y, filled) {
	const runs = [];
	let last = Infinity;
	for (const [ago, value] of series.points) {
		if (value === null) {
			last = Infinity;
			continue;
		}
		if (last - ago > 2.5)
			runs.push([]);
		runs.at(-1).push(`${x(ago).toFixed(1)},${y(value).toFixed(1)}`);
		last = ago;
	}
	return runs.map(run => {
		const path = `M${run.join("L")}${run.length > 1 ? "" : "h0"}`;
		const edge = at => at.split(",")[0];
		const area = `${path}V${y(0)}H${edge(run[0])}Z`;
		return (filled && run.length > 1 ? `<path class="area ${series.ink}" d="${area}"/>` : "") +
			`<path class="line ${series.ink}" d="${path}"/>`;
	}).join("");
}

function draw(chart, now) {
	const width = chart.svg.clientWidth;
	const series = chart.series.map(one => ({...one, points: points(one.name, now)}));
	const values = series.flatMap(one => one.points.map(point => point[1] ?? 0));
	const {ticks, y} = axis(chart, values);
	const x = ago => LEFT + (width - LEFT) * (1 - ago / SPAN_S);
	const grid = ticks.map(tick => `<path class="grid" d="M${LEFT},${Math.round(y(tick))}H${width}"/>
		<text x="${LEFT - 8}" y="${y(tick) + 4}" text-anchor="end">${short(tick, chart.as)}</text>`);
	const times = [[60, "start", "60 s ago"], [30, "middle", "30 s ago"], [0, "end", "now"]].map(
		([ago, anchor, label]) =>
			`<text x="${x(ago)}" y="${HEIGHT - 2}" text-anchor="${anchor}">${label}</text>`);
	const lines = series.map((one, at) => chart.shape === "bars" ? bars(one, x, y) :
		line(one, x, y, at === 0 && chart.scale === "linear"));
	chart.svg.innerHTML = [...grid, ...times, ...lines].join("");
}

const charts = [...document.querySelectorAll("figure")].map(element => {
	const items = [...element.querySelectorAll("li")];
	const data = items.map(item => item.querySelector("data").dataset);
	return {
		...element.dataset,
		svg: element.querySelector("svg"),
		as: data[0].as,
		series: items.map((item, at) => ({ink: item.className, name: data[at].figure})),
	};
});

function drawAll() {
	const now = past.length ? past.at(-1).at : 0;
	charts.forEach(chart => draw(chart, now));
}

// Another run of the server counts from its own start: no rates and no lines from one to the other.
function take(stats) {
	const again = page.now && page.now.started_unix_us === stats.started_unix_us;
	if (page.now && !again)
		past.push({at: performance.now(), figures: new Map()});
	page.before = again ? page.now : null;
	page.now = stats;
	const figures = new Map(shown.map(({dataset}) => [dataset.figure, figure(dataset.figure)]));
	past.push({at: performance.now(), figures});
	while (past[0].at < past.at(-1).at - SPAN_S * 1000)
		past.shift();
	write(figures);
	drawAll();
	page.updates++;
}

// Only a change is told: a screen reader would say the same once a second.
function tell(state, words) {
	if (document.body.dataset.state === state)
		return;
	document.body.dataset.state = state;
	document.getElementById("status").textContent = words;
}

async function question() {
	try {
		const answer = await fetch("stats",
			{cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
		return answer.ok ? await answer.json() : null;
	} catch {
		return null; // no answer, or not a whole one
	}
}

async function ask() {
	const begin = performance.now();
	asking = true;
	const stats = await question();
	asking = false;
	if (stats) {
		answered = new Date();
		take(stats);
	}
	if (document.hidden)
		return;
	if (stats)
		tell("live", "Live");
	else
		tell("lost", `No answer since ${answered.toLocaleTimeString("en-GB")}, trying again`);
	timer = setTimeout(ask, Math.max(0, begin + PERIOD_MS - performance.now()));
}

// Nobody looks: nothing is asked.
document.addEventListener("visibilitychange", () => {
	clearTimeout(timer);
	if (document.hidden)
		tell("paused", "Paused");
	else if (!asking)
		ask();
});
new ResizeObserver(drawAll).observe(document.body);
drawAll();
ask();
