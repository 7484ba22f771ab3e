// A text as a picture: its beginning in bold, and below that a machine wrote it.

const WIDTH = 1080, EDGE = 72, SIZE = 34, LINE = 50, MOST_LINES = 80;
const FACE = 'Georgia, "DejaVu Serif", serif';

export function draw(prefix, text, model) {
  const canvas = document.createElement("canvas");
  const brush = canvas.getContext("2d");
  const lines = broken(brush, [...words(prefix, true), ...words(text, false)]);
  const shown = lines.slice(0, MOST_LINES);
  canvas.width = WIDTH;
  canvas.height = 2 * EDGE + LINE * shown.length + 70;
  brush.fillStyle = "#fbfaf7";
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.fillStyle = "#1d2127";
  shown.forEach((line, order) => {
    let left = EDGE;
    for (const { word, bold, width } of line) {
      brush.font = font(bold);
      brush.fillText(word, left, EDGE + LINE * order + SIZE);
      left += width;
    }
  });
  brush.font = `26px system-ui, "DejaVu Sans", sans-serif`;
  brush.fillStyle = "#59616d";
  const cut = lines.length > MOST_LINES ? "… goes on. " : "";
  brush.fillText(`${cut}Written by a machine: ${model}`, EDGE, canvas.height - EDGE + 20);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

const font = (bold) => `${bold ? "bold " : ""}${SIZE}px ${FACE}`;

function words(text, bold) {
  return text.split(/(\n|\s+)/).filter(Boolean).map((word) => ({ word, bold }));
}

function broken(brush, all) {
  const lines = [[]];
  let used = 0;
  for (const { word, bold } of all) {
    brush.font = font(bold);
    for (const piece of pieces(brush, word)) {
      const width = brush.measureText(piece).width;
      if (piece.includes("\n") || (used + width > WIDTH - 2 * EDGE && used > 0)) {
        lines.push(...piece.split("\n").slice(2).map(() => []), []);
        used = 0;
        if (!piece.trim()) continue;
      }
      lines.at(-1).push({ word: piece, bold, width });
      used += width;
    }
  }
  return lines;
}

// A word that is wider than the picture, cut.
function pieces(brush, word) {
  if (brush.measureText(word).width <= WIDTH - 2 * EDGE) return [word];
  return [...word].reduce((found, character) => {
    const last = (found.at(-1) ?? "") + character;
    if (found.length && brush.measureText(last).width <= WIDTH - 2 * EDGE) found[found.length - 1] = last;
    else found.push(character);
    return found;
  }, []);
}
