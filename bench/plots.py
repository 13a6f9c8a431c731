# SPDX-License-Identifier: MIT
"""The plots: gnuplot scripts with their data inside. Each returns (name, script)."""

import os
import shutil
import subprocess

# One look a system in every plot: colour, dash, point.
LOOKS = {
    "tern": ("#d62728", 1, 7),
    "tern, spin off": ("#ff9896", 1, 6),
    "libuv": ("#1f77b4", 2, 5),
    "ivykis": ("#2ca02c", 2, 9),
    "GLib": ("#9467bd", 2, 11),
    "by hand": ("#555555", 2, 13),
    "by hand, spin": ("#aaaaaa", 4, 12),
    "limit": ("#e0a800", 3, 1),
    "tern, run": ("#8c1a1b", 1, 4),
    "tern, wait": ("#ff7f0e", 1, 8),
    "tern, pool": ("#ff9896", 1, 6),
    "liburing": ("#e0a800", 3, 1),
    "liburing on libev": ("#f0d080", 3, 2),
    "libaio": ("#2ca02c", 2, 9),
    "fio": ("#9467bd", 2, 11),
    "memcpy": ("#1f77b4", 2, 5),
    "non-temporal": ("#2ca02c", 2, 9),
    "rep movsb": ("#9467bd", 2, 11),
    "read only": ("#e0a800", 3, 1),
}
OTHERS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd")
FONT = "font 'DejaVu Sans,11'"


def quote(text):
    return "'" + text.replace("'", "") + "'"


def number(value):
    return "NaN" if value is None else f"{value:.6g}"


def short(value):
    if value >= 9999.5:
        return f"{value / 1000:.0f}k"
    if value >= 999.5:
        return f"{value / 1000:.1f}k"
    return f"{value:.0f}" if value >= 99.5 else f"{value:.2g}"


def line_style(name):
    colour, dash, point = LOOKS[name]
    width = 2.5 if name.startswith("tern") else 1.5
    return f"lc rgb '{colour}' dt {dash} pt {point} ps 0.7 lw {width}"


def y_axis(cells, metric, names):
    """One y range for all panels of a row, so that they can be compared at a glance."""
    values = [c.typical(n, metric) for c in cells for n in names]
    values = [v for v in values if v] or [1]
    low, high = min(values) / 1.5, max(values) * 1.5
    steps = (1, 2, 5) if high / low < 300 else (1,)
    ticks = [f"{s * 10.0**e:g}" for e in range(-2, 12) for s in steps if low <= s * 10.0**e <= high]
    return [
        f"set yrange [{low:.6g}:{high:.6g}]",
        "set ytics (" + ", ".join(f"'{t}' {t}" for t in ticks) + ")",
    ]


def lines_grid(name, title, cells, names, x, columns, rows):
    """Panels side by side for each value of one parameter, above each other for each metric:
    (metric, its text, the parameters of the cells that belong there)."""
    x_key, x_text = x
    column_key, column_text = columns
    across = sorted({c.keys[column_key] for c in cells})
    ticks = sorted({c.keys[x_key] for c in cells})
    panel_width = 270 if len(across) > 1 else 540
    width, height = 95 + (panel_width + 60) * len(across) + 95, 125 + 240 * len(rows)
    script = [
        f"set terminal svg size {width},{height} {FONT} background 'white' noenhanced",
        f"set multiplot layout {len(rows)},{len(across)} title {quote(title)} font ',14' "
        f"margins screen {95 / width:.4f},{1 - 155 / width:.4f},"
        f"{60 / height:.4f},{1 - 65 / height:.4f} "
        f"spacing screen {60 / width:.4f},{45 / height:.4f}",
        "set grid ytics xtics lc rgb '#dddddd' lt 1",
        "set logscale x 2" if len(ticks) > 1 else "",
        "set xtics (" + ", ".join(f"'{t}' {t}" for t in ticks) + ")",
        "set logscale y",
        f"set xrange [{ticks[0] / 1.5}:{ticks[-1] * 1.5}]",
    ]
    for i, (metric, text, *only) in enumerate(rows):
        keys = only[0] if only else {}
        mine = [c for c in cells if all(c.keys[k] == v for k, v in keys.items())]
        script += y_axis(mine, metric, names)
        for j, value in enumerate(across):
            first_row, last_row = i == 0, i == len(rows) - 1
            head = column_text.format(value).replace("1 threads", "1 thread")
            script += [
                f"set title {quote(head if first_row else '')}",
                f"set ylabel {quote(text if j == 0 else '')} offset 0.5",
                "set format y '%g'",
                f"set xlabel {quote(x_text if last_row else '')}",
                f"set key at screen {1 - 140 / width:.4f},{1 - 65 / height:.4f} left top "
                "vertical Left reverse samplen 2"
                if first_row and j == len(across) - 1
                else "unset key",
            ]
            panel = sorted((c for c in mine if c.keys[column_key] == value),
                           key=lambda c: c.keys[x_key])
            script += panel_lines(panel, metric, names, x_key)
    script.append("unset multiplot")
    return name, "\n".join(script) + "\n"


def panel_lines(panel, metric, names, x_key):
    data, plots = [], []
    for n in names:
        plots.append(f"'-' using 1:2 with linespoints {line_style(n)} title {quote(n)}")
        data += [f"{c.keys[x_key]} {number(c.typical(n, metric))}" for c in panel] or ["NaN NaN"]
        data.append("e")
    return ["plot " + ", ".join(plots)] + data


def bars_plot(name, title, groups, series, y_text, log_y=False):
    """A group of bars for each name; a bar of it for each of the series: (title, values)."""
    values = [v for _, vs in series for v in vs if v]
    top = max(values) if values else 1
    width = 230 + max(560, 42 * len(series) * len(groups))
    bottom = 10 ** int(f"{min(values):e}".split("e")[1]) if log_y else 0
    script = [
        f"set terminal svg size {width},420 {FONT} background 'white' noenhanced",
        f"set title {quote(title)} font ',14'",
        "set style data histograms",
        "set style histogram clustered gap 1",
        "set style fill solid 0.9 noborder",
        "set boxwidth 0.9",
        "set grid ytics lc rgb '#dddddd' lt 1",
        "set xtics nomirror scale 0",
        f"set ylabel {quote(y_text)}",
        "set key outside right top",
        "set format y '%g'",
        "set logscale y" if log_y else "",
        f"set yrange [{bottom:g}:{top * (3 if log_y else 1.15):g}]",
    ]
    plots, data = [], []
    for i, (text, numbers) in enumerate(series):
        plots.append(f"'-' using 2:xtic(1) lc rgb '{OTHERS[i % len(OTHERS)]}' title {quote(text)}")
        rows = [f'"{g}" {number(v)}' for g, v in zip(groups, numbers)]
        data += rows + ["e"]
    for i, (_, numbers) in enumerate(series):
        # The figure stands above its bar: bars of nothing are seen to be nothing.
        shift = (i - (len(series) - 1) / 2) / (len(series) + 1)
        plots.append(f"'-' using ($1{shift:+.3f}):2:3 with labels font ',8' offset 0,0.6 notitle")
        data += [
            f'{j} {number(max(v, bottom) if v is not None else None)} "{short(v)}"'
            for j, v in enumerate(numbers)
            if v is not None
        ] + ["e"]
    script += ["plot " + ", ".join(plots)] + data
    return name, "\n".join(script) + "\n"


def draw(out, plots):
    """Writes NAME.svg for each plot, and returns their names."""
    if not shutil.which("gnuplot"):
        return []
    drawn = []
    for name, script in plots:
        path = os.path.join(out, f"{name}.svg")
        subprocess.run(
            ["gnuplot"], input=f"set output {quote(path)}\n{script}", text=True, check=True
        )
        drawn.append(f"{name}.svg")
    return drawn
