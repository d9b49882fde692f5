// What is wrong with the page that is shown, as a list of sentences.
const problems = [];
const all = (css) => Array.from(document.querySelectorAll(css));
const say = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 120);
const shown = (element) => element.checkVisibility({ visibilityProperty: true });

if (!document.documentElement.lang) problems.push("the page has no language");
if (!/\S.* – Signet$/.test(document.title)) problems.push(`the title is “${document.title}”`);
if (all("h1").length !== 1) problems.push(`${all("h1").length} headings of the first level`);
if (all("main").length !== 1) problems.push(`${all("main").length} main parts`);
if (!document.querySelector("meta[name=viewport]")) problems.push("no viewport");

let level = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6")) {
  const next = Number(heading.tagName.slice(1));
  if (next > level + 1) problems.push(`a heading skips a level: ${say(heading)}`);
  if (!heading.textContent.trim()) problems.push(`an empty heading: ${say(heading)}`);
  level = next;
}

const name = (element) =>
  (element.getAttribute("aria-label") || element.textContent || element.getAttribute("alt") || "").trim();
for (const input of all("input:not([type=hidden]), select, textarea")) {
  const labels = Array.from(input.labels).filter(shown);
  if (!labels.some((label) => label.textContent.trim())) problems.push(`no visible label: ${say(input)}`);
  const typed = input.matches("[type=text], [type=email], [type=password]");
  if (typed && !input.autocomplete) problems.push(`no autocomplete: ${say(input)}`);
}
for (const control of all("a, button, summary")) {
  if (!name(control)) problems.push(`no name: ${say(control)}`);
}
for (const link of all("a")) {
  if (!link.hasAttribute("href")) problems.push(`a link to nowhere: ${say(link)}`);
}
for (const picture of all("img, svg")) {
  const hidden = picture.getAttribute("aria-hidden") === "true";
  const named = picture.getAttribute("alt") || picture.getAttribute("aria-label");
  if (!hidden && !named) problems.push(`a picture without text: ${say(picture)}`);
}

const ids = all("[id]").map((element) => element.id);
for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) problems.push(`id ${id} twice`);
for (const element of all("[aria-describedby], [aria-labelledby]")) {
  const refers = ["aria-describedby", "aria-labelledby"].map((name) => element.getAttribute(name) || "");
  for (const id of refers.join(" ").trim().split(/\s+/)) {
    if (!document.getElementById(id)) problems.push(`nothing is called ${id}: ${say(element)}`);
  }
}
for (const link of all("a[href^='#']")) {
  if (!document.getElementById(link.hash.slice(1))) problems.push(`no target: ${say(link)}`);
}

// WCAG 2.5.8: what is pressed is at least 24 pixels in both directions, but for links within a text.
for (const control of all("button, input:not([type=hidden]), summary, a.button")) {
  if (!shown(control)) continue;
  const target = control.type === "checkbox" ? control.labels[0] : control;
  const box = target.getBoundingClientRect();
  if (box.width < 24 || box.height < 24) problems.push(`${box.width} by ${box.height} pixels: ${say(control)}`);
}

// WCAG 1.4.10: nothing is wider than the window.
const room = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > room) {
  problems.push(`${document.documentElement.scrollWidth} pixels wide where there are ${room}`);
}
for (const element of all("body *:not(.skip)")) {
  const box = element.getBoundingClientRect();
  if (shown(element) && box.width && (box.right > room + 0.5 || box.left < -0.5)) {
    problems.push(`beyond the edge: ${say(element)}`);
  }
  const clips = getComputedStyle(element).overflowX !== "visible" && !element.matches("input");
  if (clips && element.scrollWidth > element.clientWidth + 1) problems.push(`clipped: ${say(element)}`);
}

// WCAG 1.4.3: contrast of text. Every colour of the stylesheet is opaque.
const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
const light = (colour) => {
  const [red, green, blue] = channels(colour).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (channels(colour)[3] !== 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
const contrast = (one, other) => {
  const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
};
for (const element of all("body *")) {
  const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.data.trim());
  if ((!own && !element.matches("input")) || !shown(element)) continue;
  const found = contrast(getComputedStyle(element).color, ground(element));
  if (found < 4.5) problems.push(`contrast ${found.toFixed(2)}: ${say(element)}`);
}
// WCAG 1.4.11: the edge of a field.
for (const field of all("input[type=text], input[type=email], input[type=password]")) {
  if (field === document.activeElement) continue;
  const found = contrast(getComputedStyle(field).borderTopColor, ground(field.parentElement));
  if (found < 3) problems.push(`contrast of the edge ${found.toFixed(2)}: ${say(field)}`);
}
return problems;
