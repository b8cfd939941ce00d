/* Draws the page's figures with Plotly as they scroll into view, in the colours of the page. */
"use strict";
(() => {
  const MOST_CANDLES = 240;
  const MOST_MARKED_TRADES = 1500;
  const TICK_WIDTH = 120; // pixels
  const DAY = 1440; // minutes

  const config = {
    responsive: true, displaylogo: false, plotlyServerURL: "", showEditInChartStudio: false,
    showTips: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const json = (id) => JSON.parse(document.getElementById(id).textContent);

  /* What the theme says of a layout, as Plotly.relayout takes it. */
  function theme(layout) {
    const says = {
      "font.color": colour("--ink"), "hoverlabel.bgcolor": colour("--panel"),
      "hoverlabel.bordercolor": colour("--line"), "hoverlabel.font.color": colour("--ink"),
      "modebar.color": colour("--soft"), "modebar.activecolor": colour("--accent"),
    };
    for (const axis of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      says[`${axis}.gridcolor`] = colour("--grid");
      says[`${axis}.zerolinecolor`] = colour("--soft");
      says[`${axis}.linecolor`] = colour("--line");
      says[`${axis}.tickfont.color`] = colour("--soft");
      says[`${axis}.title.font.color`] = colour("--soft");
    }
    return says;
  }

  /* The first place in the ascending values that is not below the wanted one. */
  function place(values, wanted) {
    let low = 0, high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] < wanted) low = middle + 1; else high = middle;
    }
    return low;
  }

  // -- the axis of trading time: places of sessions that follow each other without nights ----------

  const clock = document.getElementById("clock") ? json("clock") : null;
  const sessionAt = (x) => Math.max(0, place(clock.place, Math.floor(x) + 1) - 1);
  const moment = (wall) => new Date(wall * 60000);
  const wallAt = (x) => {
    const session = sessionAt(x);
    return clock.begin[session] + Math.floor(x) - clock.place[session];
  };
  const time = (wall) => moment(wall).toISOString().slice(11, 16);
  const when = (x) => moment(wallAt(x)).toISOString().slice(0, 16).replace("T", " ");
  const day = (wall, withYear) => moment(wall).toLocaleDateString("en-US", {
    month: "short", day: "numeric", timeZone: "UTC", ...(withYear ? { year: "numeric" } : {}),
  });

  /* Where the axis says something between two places, and what. */
  function ticks(element, from, until) {
    const tickvals = [], ticktext = [];
    const most = Math.max(2, Math.floor(element.clientWidth / TICK_WIDTH));
    const first = sessionAt(Math.max(0, from)), last = sessionAt(until);
    if (last - first >= 3) {
      const step = Math.ceil((last - first + 1) / most);
      let year = null;
      for (let session = first; session <= last; session += step) {
        if (clock.place[session] < from) continue;
        const own = moment(clock.begin[session]).getUTCFullYear();
        tickvals.push(clock.place[session]);
        ticktext.push(day(clock.begin[session], own !== year));
        year = own;
      }
      return { tickvals, ticktext };
    }
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 240].find((size) => (until - from) / size <= most) ?? 390;
    for (let session = first; session <= last; session++) {
      const begin = clock.begin[session];
      const end = session + 1 < clock.place.length ? clock.place[session + 1] : Infinity;
      let named = false;
      for (let wall = Math.ceil(begin / step) * step; ; wall += step) {
        const x = clock.place[session] + wall - begin;
        if (x >= end || x > until) break;
        if (x < from) continue;
        tickvals.push(x);
        ticktext.push(named ? time(wall) : `${time(wall)}<br>${day(wall, false)}`);
        named = true;
      }
    }
    return { tickvals, ticktext };
  }

  function ticked(element) {
    const [from, until] = element.layout.xaxis.range;
    const { tickvals, ticktext } = ticks(element, from, until);
    return Plotly.relayout(element, {
      "xaxis.tickmode": "array", "xaxis.tickangle": 0, "xaxis.tickvals": tickvals, "xaxis.ticktext": ticktext,
    });
  }

  const rangeChanged = (change) => Object.keys(change).some((key) => /^xaxis\.(range|autorange)/.test(key));

  function curve(element) {
    element.on("plotly_relayout", (change) => { if (rangeChanged(change)) ticked(element); });
    return ticked(element);
  }

  // -- drawing --------------------------------------------------------------------------------------

  const drawn = new Map(); // the plot's element -> resolves when it stands

  function draw(element) {
    if (!drawn.has(element)) {
      const figure = json(`figure-${element.id}`);
      const standing = Plotly.newPlot(element, figure.data, figure.layout, config)
        .then(() => Plotly.relayout(element, theme(element.layout)))
        .then(() => {
          if ("symbol" in element.dataset) return price(element);
          return "clock" in element.dataset ? curve(element) : undefined;
        });
      drawn.set(element, standing);
    }
    return drawn.get(element);
  }

  // -- the price, as many candles as can be told apart, whatever part of it is looked at ------------

  function numbers(text, Kind) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Kind(bytes.buffer);
  }

  /* Bars first..last-1 as about MOST_CANDLES candles, none over a night unless it is of days. */
  function candles(bars, first, last) {
    const { open, high, low, close } = bars;
    const made = { x: [], open: [], high: [], low: [], close: [], text: [] };
    const sessions = 1 + sessionAt(bars.place[last - 1]) - sessionAt(bars.place[first]);
    const together = Math.ceil(sessions / MOST_CANDLES); // sessions in a candle, where it is whole ones
    const size = Math.ceil((last - first) / MOST_CANDLES);
    let session = -1, begun = 0, own = null, at = -1;
    for (let i = first; i < last; i++) {
      const now = sessionAt(bars.place[i]);
      if (now !== session) { session = now; begun = i; }
      const bucket = sessions > MOST_CANDLES / 2
        ? Math.floor(now / together)
        : begun + size * Math.floor((i - begun) / size);
      if (bucket !== own) {
        own = bucket;
        at = made.x.push(bars.place[i]) - 1;
        made.open[at] = open[i]; made.high[at] = high[i]; made.low[at] = low[i];
      } else {
        made.high[at] = Math.max(made.high[at], high[i]);
        made.low[at] = Math.min(made.low[at], low[i]);
      }
      made.close[at] = close[i];
    }
    const said = (value) => value.toFixed(2);
    made.x.forEach((x, i) => {
      made.text[i] = `${when(x)}<br>open ${said(made.open[i])}, high ${said(made.high[i])}, `
        + `low ${said(made.low[i])}, close ${said(made.close[i])}`;
    });
    return made;
  }

  function marks(trades, from, until) {
    const inView = [];
    for (let i = 0; i < trades.entry.length; i++) {
      if (trades.exit[i] >= from && trades.entry[i] <= until) inView.push(i);
    }
    const crowded = inView.length > MOST_MARKED_TRADES;
    const shown = crowded ? [] : inView;
    const marker = { size: Math.max(5, Math.min(12, 14 - inView.length / 20)) };
    const group = (chosen, at, value) => ({
      x: chosen.map((i) => trades[at][i]), y: chosen.map((i) => trades[value][i]),
      text: chosen.map((i) => trades.text[i]), marker,
    });
    const ways = (chosen) => ({
      x: chosen.flatMap((i) => [trades.entry[i], trades.exit[i], null]),
      y: chosen.flatMap((i) => [trades.bought[i], trades.sold[i], null]),
    });
    const won = (i) => trades.pnl[i] > 0;
    return {
      crowded: crowded ? inView.length : 0,
      traces: [
        ways(shown.filter(won)), ways(shown.filter((i) => !won(i))),
        group(shown, "entry", "bought"),
        group(shown.filter((i) => !trades.stopped[i]), "exit", "sold"),
        group(shown.filter((i) => trades.stopped[i]), "exit", "sold"),
      ],
    };
  }

  function price(element) {
    const { trades, ...packed } = json(`bars-${element.dataset.symbol}`);
    const bars = { place: numbers(packed.place, Int32Array) };
    for (const name of ["open", "high", "low", "close"]) bars[name] = numbers(packed[name], Float32Array);
    const count = bars.place.length;
    let shown = Promise.resolve();

    function render(from, until) {
      const first = Math.max(0, Math.min(count - 2, place(bars.place, from)));
      const last = Math.max(first + 2, place(bars.place, until + 1));
      const seen = candles(bars, first, Math.min(count, last));
      const { traces, crowded } = marks(trades, from, until);
      const least = Math.min(...seen.low), most = Math.max(...seen.high);
      const margin = (most - least || most) * 0.04;
      const { layout } = element;
      const parts = [seen, ...traces];
      const said = crowded ? `${crowded} trades here: zoom in to see them` : "";
      const { tickvals, ticktext } = ticks(element, from, until);
      return Plotly.react(
        element,
        element.data.map((trace, number) => ({
          ...trace, ...parts[number], ...(trace.marker ? { marker: { ...trace.marker, ...parts[number].marker } } : {}),
        })),
        {
          ...layout,
          xaxis: { ...layout.xaxis, range: [from, until], autorange: false, tickmode: "array", tickangle: 0, tickvals, ticktext },
          yaxis: { ...layout.yaxis, range: [least - margin, most + margin], autorange: false },
          annotations: [{ ...layout.annotations[0], text: said }],
        },
      );
    }

    const show = (from, until) => (shown = shown.then(() => render(from, until)));

    const all = () => show(bars.place[0] - 1, bars.place[count - 1] + 1);
    element.on("plotly_relayout", (change) => {
      if (!rangeChanged(change)) return;
      if (change["xaxis.autorange"]) all(); else show(...element.layout.xaxis.range);
    });
    element.on("plotly_doubleclick", () => { all(); return false; });
    element.showTrade = (number) => {
      const i = trades.number.indexOf(number);
      const around = 30 + (trades.exit[i] - trades.entry[i]) / 4;
      return show(trades.entry[i] - around, trades.exit[i] + around);
    };
    return all();
  }

  // -- the list of trades ---------------------------------------------------------------------------

  function sortable(table) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      let ascending = false;
      head.addEventListener("click", () => {
        ascending = !ascending;
        const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const order = (a, b) => {
          const [x, y] = [value(a), value(b)];
          return (Number(x) - Number(y) || String(x).localeCompare(String(y))) * (ascending ? 1 : -1);
        };
        body.append(...[...body.rows].sort(order));
      });
    });
  }

  document.querySelectorAll("table.trades").forEach((table) => {
    sortable(table);
    table.addEventListener("click", async (event) => {
      const button = event.target.closest("button[data-trade]");
      const chart = button && document.querySelector(`.plot[data-symbol="${button.dataset.of}"]`);
      if (!chart) return;
      chart.scrollIntoView({ block: "center" });
      await draw(chart);
      await chart.showTrade(Number(button.dataset.trade));
    });
  });

  // -- when to draw ---------------------------------------------------------------------------------

  const plots = [...document.querySelectorAll(".plot")];
  const watcher = new IntersectionObserver((seen) => {
    for (const entry of seen.filter((one) => one.isIntersecting)) {
      watcher.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "500px" });
  plots.forEach((plot) => watcher.observe(plot));
  addEventListener("beforeprint", () => plots.forEach(draw));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const plot of drawn.keys()) Plotly.relayout(plot, theme(plot.layout));
  });
})();
