// NumPy's random numbers: np.random.Generator(np.random.Philox(key=[seed, sample])).
// Philox4x64-10 is from Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).

const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn]; // added to the key in each round
const ROUNDS = 10;
const wrap = (number) => BigInt.asUintN(64, number);

export class RandomStream {
  // `seed` is a whole number or a BigInt, `sample` the number of the text.
  constructor(seed, sample) {
    this.key = [BigInt(seed), BigInt(sample)];
    this.counter = 0n;
    this.buffer = []; // 32-bit numbers
  }

  // Returns a number in [0, 1), as Generator.random(dtype=float32) does.
  next() {
    if (!this.buffer.length) {
      this.counter += 1n;
      for (const word of philox(this.counter, this.key)) {
        this.buffer.push(Number(word & 0xffffffffn), Number(word >> 32n));
      }
    }
    return (this.buffer.shift() >>> 8) / 2 ** 24;
  }
}

// Returns a random seed below 2^63, in the range of the option.
export function randomSeed() {
  return crypto.getRandomValues(new BigUint64Array(1))[0] >> 1n;
}

function philox(counter, [first, second]) {
  let words = [counter, 0n, 0n, 0n];
  for (let round = 0; round < ROUNDS; round += 1) {
    const low = MULTIPLIERS[0] * words[0];
    const high = MULTIPLIERS[1] * words[2];
    words = [(high >> 64n) ^ words[1] ^ first, wrap(high), (low >> 64n) ^ words[3] ^ second, wrap(low)];
    first = wrap(first + WEYL[0]);
    second = wrap(second + WEYL[1]);
  }
  return words;
}
