// Keeps the landscape's counters current. The page is complete without it.
const show = (key, text) => {
  const place = document.querySelector(`[data-live="${key}"]`);
  if (place && place.textContent !== text) place.textContent = text;
};
const thousands = (number) => String(number).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
const source = new EventSource("/live");
source.onmessage = (message) => {
  const data = JSON.parse(message.data);
  for (const area of data.areas) {
    show(`area-${area.name}`, !area.running ? "does not answer" : area.pending ? `${area.pending} in hand` : "all quiet");
    for (const [key, value] of Object.entries(area.counters)) {
      show(`counter-${area.name}-${key}`, typeof value === "number" ? thousands(value) : value);
    }
  }
  for (const [key, seam] of Object.entries(data.seams)) {
    show(`${key}-up`, thousands(seam.up));
    show(`${key}-down`, thousands(seam.down));
  }
};
