// Draws a text as a picture: the prompt in bold, and below it the site's name and address.

const WIDTH = 1080, MARGIN = 72, FONT_SIZE = 34, LINE_HEIGHT = 50, MAX_LINES = 80;
const FOOTER_HEIGHT = 130;
const FONT = 'Georgia, "DejaVu Serif", serif';
const FOOTER_FONT = 'system-ui, "DejaVu Sans", sans-serif';

// Returns a PNG. `site` is {name, address}.
export function draw(prefix, text, site) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const lines = wrap(context, [...words(prefix, true), ...words(text, false)]);
  const shown = lines.slice(0, MAX_LINES);
  canvas.width = WIDTH;
  canvas.height = 2 * MARGIN + LINE_HEIGHT * shown.length + FOOTER_HEIGHT;
  context.fillStyle = "#fbfaf7";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#1d2127";
  shown.forEach((line, number) => {
    let left = MARGIN;
    for (const { word, bold, width } of line) {
      context.font = font(bold);
      context.fillText(word, left, MARGIN + LINE_HEIGHT * number + FONT_SIZE);
      left += width;
    }
  });
  drawFooter(context, site, lines.length > MAX_LINES);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function drawFooter(context, { name, address }, isCut) {
  const bottom = context.canvas.height - MARGIN;
  context.fillStyle = "#d9d5cb";
  context.fillRect(MARGIN, bottom - 92, WIDTH - 2 * MARGIN, 2);
  context.fillStyle = "#2b5c8a";
  context.font = `bold 28px ${FOOTER_FONT}`;
  context.fillText(name, MARGIN, bottom - 38, WIDTH - 2 * MARGIN);
  context.fillStyle = "#59616d";
  context.font = `26px ${FOOTER_FONT}`;
  const remark = `${isCut ? "Shortened. " : ""}Machine-generated text`;
  context.fillText(`${address} · ${remark}`, MARGIN, bottom, WIDTH - 2 * MARGIN);
}

const font = (bold) => `${bold ? "bold " : ""}${FONT_SIZE}px ${FONT}`;

function words(text, bold) {
  return text.split(/(\n|\s+)/).filter(Boolean).map((word) => ({ word, bold }));
}

// Returns lines of {word, bold, width} that fit into the picture.
function wrap(context, all) {
  const lines = [[]];
  let used = 0;
  for (const { word, bold } of all) {
    context.font = font(bold);
    for (const part of split(context, word)) {
      const width = context.measureText(part).width;
      if (part.includes("\n") || (used + width > WIDTH - 2 * MARGIN && used > 0)) {
        lines.push(...part.split("\n").slice(2).map(() => []), []);
        used = 0;
        if (!part.trim()) continue;
      }
      lines.at(-1).push({ word: part, bold, width });
      used += width;
    }
  }
  return lines;
}

// Splits a word that is wider than the picture.
function split(context, word) {
  if (context.measureText(word).width <= WIDTH - 2 * MARGIN) return [word];
  return [...word].reduce((parts, character) => {
    const last = (parts.at(-1) ?? "") + character;
    const fits = context.measureText(last).width <= WIDTH - 2 * MARGIN;
    if (parts.length && fits) parts[parts.length - 1] = last;
    else parts.push(character);
    return parts;
  }, []);
}
