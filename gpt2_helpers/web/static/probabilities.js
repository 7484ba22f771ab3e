// Shows how likely the model finds each token of a text: by a background and an underline for each
// level, and in numbers for the token under the pointer or, with the arrow keys, at the cursor.
// Text is only ever put into text nodes.

// The lowest probability of each level, as in evaluation/probability_levels.py.
const LEVELS = [
  [0.5, "50% or more"],
  [0.1, "10 to 50%"],
  [0.01, "1 to 10%"],
  [0.001, "0.1 to 1%"],
  [0, "less than 0.1%"],
];

// Returns the elements to show below a text: a legend, the colored text, and the numbers of a token.
// `score` is the server's answer; `before` is the part of the text that it does not contain.
// `onChoose` is called with the text before a token, to choose another one there.
export function probabilityView(score, before, onChoose) {
  const parts = segments(score);
  const text = document.createElement("p");
  const info = document.createElement("output");
  const summary = `Perplexity ${format(score.perplexity)}, ${format(score.bits_per_byte)} bits per byte.`;
  text.className = "result-text probabilities";
  text.tabIndex = 0;
  text.setAttribute("aria-label", "Text with probabilities: arrow keys move from token to token");
  const other = document.createElement("button");
  other.type = "button";
  other.className = "other-token";
  other.textContent = "Choose another token here";
  other.disabled = true;
  other.addEventListener("click", () => {
    const at = spans.indexOf(text.querySelector(".selected"));
    onChoose(before + parts.slice(0, at).map(({ token }) => token).join(""));
  });
  info.className = "result-info";
  info.textContent = summary;
  const spans = parts.map(({ token, probability }) => {
    const span = document.createElement("span");
    span.className = `level-${levelOf(probability)}`;
    if (/^\s*\n\s*$/.test(token)) span.classList.add("newline"); // it would be invisible
    span.textContent = token;
    span.title = percent(probability);
    return span;
  });
  text.append(before, ...spans);

  const select = (span) => {
    text.querySelector(".selected")?.classList.remove("selected");
    span?.classList.add("selected");
    other.disabled = !span;
    info.textContent = span ? `“${span.textContent.trim() || "space"}”: ${span.title}. ${summary}` : summary;
  };
  let clicked = null; // stays selected when the pointer leaves the text
  text.addEventListener("pointerover", (event) => select(event.target.closest("span")));
  text.addEventListener("click", (event) => select((clicked = event.target.closest("span"))));
  text.addEventListener("pointerleave", () => select(clicked));
  text.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = spans.indexOf(text.querySelector(".selected"));
    select((clicked = spans[at < 0 ? 0 : Math.min(spans.length - 1, Math.max(0, at + step))]));
  });
  return [legend(), text, info, other];
}

// The parts to show. The tokens of a character, all but the last of which are empty, are one part.
function segments({ tokens, logprobs }) {
  const parts = [];
  let waiting = 0;
  tokens.forEach((token, index) => {
    waiting += logprobs[index];
    if (!token) return;
    parts.push({ token, probability: Math.exp(waiting) });
    waiting = 0;
  });
  return parts;
}

function legend() {
  const list = document.createElement("p");
  list.className = "legend";
  const levels = LEVELS.map(([, label], number) => {
    const item = document.createElement("span");
    item.className = `level-${number}`;
    item.textContent = label;
    return item;
  });
  list.append("Probability of each token: ", ...levels.flatMap((item) => [item, " "]));
  return list;
}

const levelOf = (probability) => LEVELS.findIndex(([lowest]) => probability >= lowest);

const format = (number) => (number === null ? "infinite" : Number(number.toPrecision(3)).toLocaleString("en"));

export function percent(probability) {
  if (probability < 1e-5) return "less than 0.001%";
  return `${Number((100 * probability).toPrecision(2))}%`;
}
