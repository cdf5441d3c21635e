/* What a person does with a report; the page under test holds two runs, one audit and two episodes. */
const count = (chart, colour) => {
  const canvas = chart.querySelector("canvas"), copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext("2d", {willReadFrequently: true});
  context.drawImage(canvas, 0, 0);
  const pixels = context.getImageData(0, 0, copy.width, copy.height).data;
  let n = 0;
  for (let i = 0; i < pixels.length; i += 4)
    if (pixels[i] === colour[0] && pixels[i + 1] === colour[1] && pixels[i + 2] === colour[2] && pixels[i + 3] === 255) n++;
  return n;
};
const BLUE = [0x3f, 0x7f, 0xd1], ORANGE = [0xe5, 0x86, 0x1c];
await sleep(300);
const charts = all(".chart"), switches = all("#legend button");
const colours = () => charts.map(chart => [count(chart, BLUE) > 0, count(chart, ORANGE) > 0]);
seen.names = switches.map(node => node.textContent);
seen.both = colours();
switches[0].click(); await sleep(200);
seen.off = colours();
seen.pressed = switches.map(node => node.getAttribute("aria-pressed"));
switches[0].click(); await sleep(200);
seen.on = colours();
const over = charts[0].querySelector(".u-over"), box = over.getBoundingClientRect();
over.dispatchEvent(new MouseEvent("mousemove", {clientX: box.left + box.width / 2, clientY: box.top + 20, bubbles: true}));
await sleep(200);
seen.reading = charts.map(chart => chart.querySelector(".reading").textContent);

const shown = () => [one("#where").textContent, one("#caption").textContent, one(".stage img").src.length > 100];
seen.start = shown();
one("#on").click(); seen.next = shown();
one("#back").click(); one("#back").click(); seen.back = shown();
one(".player").dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true})); seen.key = shown();
const range = one("input[type=range]");
range.value = 3; range.dispatchEvent(new Event("input")); seen.end = shown();
seen.bars = all("#bars .action").map(node => node.textContent);
const choice = one("#episode");
choice.selectedIndex = 1; choice.dispatchEvent(new Event("change")); seen.other = [shown(), range.max];
one("#play").click(); await sleep(2500); seen.played = [shown(), one("#play").textContent];

seen.wrong = all("#wrong-rows li").map(node => node.dataset.state);
seen.rows = all("#audit-table tbody tr").map(node => node.firstChild.textContent);
const head = all("#audit-table thead button").find(node => node.textContent === "visits");
head.click(); seen.ordered = all("#audit-table tbody tr").map(node => node.firstChild.textContent);
seen.summary = all("#summary-table tbody tr").map(node => node.textContent);
seen.links = all("nav a").map(node => [node.getAttribute("href"), one(node.getAttribute("href")) !== null]);
seen.title = document.title; seen.heading = one("h1").textContent;
seen.ready = document.documentElement.dataset.ready;
all("details").forEach(node => node.open = true); await sleep(100);
const edge = document.documentElement.clientWidth + 0.5;
seen.outside = all("main *").filter(node => node.getBoundingClientRect().right > edge).map(node => node.tagName + "." + node.className).slice(0, 5);
