// Keeps the landscape's counters current. The page is complete without it.
const thousands = (number) => String(number ?? "\u2013").replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
const show = (key, text) => {
  for (const place of document.querySelectorAll("[data-live]")) {
    if (place.dataset.live === key && place.textContent !== text) place.textContent = text;
  }
};
const source = new EventSource("/live");
source.onmessage = (message) => {
  const data = JSON.parse(message.data);
  show("now", data.now);
  for (const area of data.areas) {
    show(`area-${area.name}`, !area.running ? "does not answer" : area.pending ? `${thousands(area.pending)} in hand` : "all quiet");
    show(`due-${area.name}`, area.due);
    for (const row of area.counters) {
      for (const item of row.items) {
        if (typeof item.value === "number") show(`counter-${area.name}-${row.label}-${item.name}`, thousands(item.value));
      }
    }
  }
  for (const [name, link] of Object.entries(data.links)) {
    for (const [key, value] of Object.entries(link)) show(`${name}-${key}`, thousands(value));
  }
};
