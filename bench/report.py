"""What was measured, as one Markdown table (also on stdout, as it comes about) and one plot."""
import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402: which backend draws has to be said before

NAMES = {"outbox": "plpgsql outbox", "pgq": "PgQ logutriga"}
COLORS = {"autosync": "#1f6f8b", "to reach": "#c9c9c9"}
OTHERS = ("#d98c3f", "#a14a5b", "#7a7a52", "#8a6fae")


class Report:
    """One row per thing measured: what, the goal, autosync, and whatever else was measured beside it."""

    def __init__(self, path, heading):
        self._path, self._heading, self._bars = path, heading, []
        self._file = open(f"{path}.md", "w", encoding="utf-8")  # for as long as the process
        self._say(f"{heading}\n\n| what | to reach | autosync | instead |\n| --- | --- | --- | --- |")

    def _say(self, text):
        print(text, flush=True)
        print(text, file=self._file, flush=True)

    def note(self, text):
        """Something that is missing, and why."""
        print(text, flush=True)

    def add(self, what, goal, values, plot=None):
        """`values`: texts by who was measured. `plot`: (title, {who: number}) when the row is worth bars beside each other."""
        others = " · ".join(f"{NAMES.get(name, name)}: {value}" for name, value in values.items() if name != "autosync")
        self._say(f"| {what} | {goal} | {values['autosync']} | {others or '—'} |")
        if plot:
            self._bars.append(plot)

    def draw(self):
        """A panel of bars per row that has any."""
        if not self._bars:
            return
        sizes = [len(numbers) for _, numbers in self._bars]
        figure, panels = plt.subplots(len(self._bars), 1, figsize=(9, 0.9 * len(sizes) + 0.32 * sum(sizes)), squeeze=False,
                                      gridspec_kw={"height_ratios": [size + 0.8 for size in sizes]})
        for panel, (title, numbers) in zip(panels[:, 0], self._bars):
            names = list(numbers)[::-1]
            others = iter(OTHERS)
            colors = {name: COLORS.get(name) or next(others) for name in numbers}
            bars = panel.barh([NAMES.get(name, name) for name in names], [numbers[name] for name in names], color=[colors[name] for name in names])
            panel.bar_label(bars, [f"{numbers[name]:,.0f}" if numbers[name] >= 100 else f"{numbers[name]:.3g}" for name in names], padding=3, fontsize=8)
            panel.set_xlim(0, max(numbers.values()) * 1.15)
            panel.set_title(title, loc="left", fontsize=9)
            panel.tick_params(labelsize=8)
            panel.spines[["top", "right"]].set_visible(False)
        figure.text(0.01, 0.008, re.sub("`", "", self._heading), fontsize=6, color="#666666")
        figure.tight_layout(rect=(0, 0.03, 1, 1))
        figure.savefig(f"{self._path}.svg")
