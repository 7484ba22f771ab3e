// Next-token sampling: logits in, an id out. The counterpart of generation/sampling.py, which explains
// the method; equal logits and random numbers give the same ids.
//
// The arithmetic is in 32-bit floats, as there: Math.fround rounds each result.

const TOP_P_CANDIDATES = 128; // most likely ids that are examined first for top-p
const MAX_REJECTIONS = 10;
const BLOCK = 64; // ids
const SMALLEST = 2 ** -126; // positive normal 32-bit float
const MIN_TEMPERATURE = 1e-6;
const GOLDEN_RATIO = 0x9e3779b1;
const { fround } = Math;
const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

// Returns the next id. `logits` are 32-bit floats, where minus infinity excludes an id. `uniform` is a
// random number in [0, 1). The options are temperature, top_k, top_p, min_p and typical_p.
export function sampleNextToken(logits, uniform, options) {
  const { temperature, top_k: topK = 0, top_p: topP = 0, min_p: minP = 0, typical_p: typicalP = 0 } = options;
  if (temperature === 0) return indexOfMax(logits);
  const divisor = fround(Math.max(temperature, MIN_TEMPERATURE));
  const nucleus = topP > 0 && topP < 1 ? topP : 0;
  if (minP > 0 || (typicalP > 0 && typicalP < 1)) {
    return candidates(scale(logits, divisor), { minP, typicalP, nucleus, topK: topP === 0 ? topK : 0 }, uniform);
  }
  if (nucleus) return sampleTopP(scale(logits, divisor), uniform, nucleus);
  if (topP === 0 && topK > 0 && topK < logits.length) {
    const ids = highest(logits, topK);
    return sample(scale(logits, divisor), ids, uniform);
  }
  return sampleAll(weightsOf(scale(logits, divisor)), uniform);
}

// Returns the ids of the highest values, the highest first; of equal values the first.
export function highest(values, count) {
  const ids = [];
  let lowest = -Infinity; // of `count` values
  for (let id = 0; id < values.length; id += 1) {
    const value = values[id];
    if (ids.length === count && !(value > lowest)) continue;
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[ids[middle]] >= value) low = middle + 1;
      else high = middle;
    }
    ids.splice(low, 0, id);
    if (ids.length > count) ids.pop();
    lowest = values[ids.at(-1)];
  }
  return ids;
}

// Samples from the ids that min-p and typical-p leave, and before them top-p or top-k.
function candidates(scaled, { minP, typicalP, nucleus, topK }, uniform) {
  let ids = [...scaled.keys()];
  if (minP > 0) {
    const lowest = fround(Math.log(fround(Math.max(minP, SMALLEST))));
    ids = ids.filter((id) => scaled[id] >= lowest);
  }
  if (nucleus) {
    const threshold = nucleus * total(weightsOf(scaled));
    ids.sort((a, b) => scaled[b] - scaled[a]);
    ids = ids.slice(0, countReaching(ids.map((id) => fround(Math.exp(scaled[id]))), threshold));
  } else if (topK > 0 && topK < ids.length) {
    ids.sort((a, b) => scaled[b] - scaled[a]);
    ids = ids.slice(0, topK);
  }
  if (typicalP > 0 && typicalP < 1) ids = typical(scaled, ids, typicalP);
  return sample(scaled, ids, uniform);
}

// The ids whose surprise is closest to the entropy, with a total probability of `mass`.
function typical(scaled, ids, mass) {
  const weights = ids.map((id) => fround(Math.exp(scaled[id])));
  const sum = total(weights);
  const probabilities = weights.map((weight) => weight / sum);
  const surprises = probabilities.map((probability) => -Math.log(probability));
  const entropy = total(probabilities.map((probability, at) => (probability > 0 ? probability * surprises[at] : 0)));
  const distances = surprises.map((surprise) => Math.abs(surprise - entropy));
  const order = [...ids.keys()].sort((a, b) => distances[a] - distances[b] || a - b);
  const count = countReaching(order.map((at) => probabilities[at]), mass);
  const last = distances[order[count - 1]];
  return ids.filter((_, at) => distances[at] <= last);
}

// Samples from all ids: first a block of ids by its sum of weights, then an id of it.
function sampleAll(weights, uniform) {
  const sums = new Float32Array(Math.ceil(weights.length / BLOCK));
  for (let id = 0; id < weights.length; id += 1) sums[(id / BLOCK) | 0] += weights[id];
  const numbers = [...sums.keys()];
  const logarithms = sums.map(Math.log);
  // Offset from ids, so that a block's noise is independent of that of any id.
  const block = numbers[indexOfMax(numbers.map((number) => noisy(logarithms[number], number + 2 ** 30, uniform)))];
  const end = Math.min(weights.length, (block + 1) * BLOCK);
  const ids = Array.from({ length: end - block * BLOCK }, (_, at) => block * BLOCK + at);
  return ids[indexOfMax(ids.map((id) => noisy(fround(Math.log(weights[id])), id, uniform)))];
}

// Samples one of the most likely ids that make up `topP`.
function sampleTopP(scaled, uniform, topP) {
  const weights = weightsOf(scaled);
  const threshold = topP * total(weights);
  const ids = highest(scaled, Math.min(TOP_P_CANDIDATES, scaled.length));
  const likeliest = ids.map((id) => weights[id]);
  if (total(likeliest) >= threshold) return sample(scaled, ids.slice(0, countReaching(likeliest, threshold)), uniform);
  return sampleLargeTopP(weights, uniform, threshold);
}

// Samples from all ids until one is among the most likely ones whose weights add up to `threshold`.
function sampleLargeTopP(weights, uniform, threshold) {
  float[0] = uniform;
  const [start] = bits;
  for (let attempt = 1; attempt <= MAX_REJECTIONS; attempt += 1) {
    const chosen = sampleAll(weights, uniform);
    let likelier = 0; // of equal ids the first is likelier
    for (let id = 0; id < weights.length; id += 1) {
      if (id < chosen ? weights[id] >= weights[chosen] : weights[id] > weights[chosen]) likelier += weights[id];
    }
    if (likelier < threshold) return chosen;
    uniform = uniformOf(hash(start + attempt));
  }
  const ids = [...weights.keys()].sort((a, b) => weights[b] - weights[a] || a - b);
  const nucleus = ids.slice(0, countReaching(ids.map((id) => weights[id]), threshold));
  return sample(weights.map(Math.log), nucleus, uniform);
}

// Samples one of `ids` from the softmax of their values (Gumbel-max trick).
function sample(values, ids, uniform) {
  return ids[indexOfMax(ids.map((id) => noisy(values[id], id, uniform)))];
}

// Adds Gumbel noise to a value, which depends on the id and on the random number of this token.
function noisy(value, id, uniform) {
  float[0] = uniform;
  const random = uniformOf(hash(hash(bits[0]) + Math.imul(id, GOLDEN_RATIO)));
  const noise = -fround(Math.log(-fround(Math.log1p(-random))));
  return fround(value + noise);
}

// Random bits -> a number in (0, 1).
function uniformOf(random) {
  const uniform = fround(fround(fround(random) + 0.5) * 2 ** -32);
  return Math.min(uniform, 1 - 2 ** -24);
}

// MurmurHash3's finalizer with the multipliers of Wellons's lowbias32.
function hash(number) {
  number = Math.imul(number ^ (number >>> 16), 0x7feb352d);
  number = Math.imul(number ^ (number >>> 15), 0x846ca68b);
  return number >>> 0;
}

// Divides logits by the temperature, shifted so that the highest is 0.
function scale(logits, temperature) {
  const maximum = logits[indexOfMax(logits)];
  return logits.map((logit) => fround(logit - maximum) / temperature);
}

function weightsOf(scaled) {
  return scaled.map(Math.exp);
}

function total(numbers) {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum;
}

// How many numbers, from the first, add up to `threshold`; all if they do not.
function countReaching(numbers, threshold) {
  let sum = 0;
  const reached = numbers.findIndex((number) => (sum += number) >= threshold);
  return reached < 0 ? numbers.length : reached + 1;
}

function indexOfMax(values) {
  let best = 0;
  for (let at = 1; at < values.length; at += 1) if (values[at] > values[best]) best = at;
  return best;
}
