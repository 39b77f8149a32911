// Counts and reads texts with X's own library: a JSON array of texts on standard input, and for each
// of them its weighted length and its entities, in code units of UTF-16, on standard output.
const twitter = require('twitter-text');

const kinds = { url: 'link', screenName: 'mention', hashtag: 'hashtag', cashtag: 'cashtag' };
const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const answers = texts.map((text) => ({
  length: twitter.parseTweet(text).weightedLength,
  entities: twitter.extractEntitiesWithIndices(text).map((entity) => {
    const kind = Object.keys(kinds).find((name) => name in entity);
    return [kinds[kind], ...entity.indices];
  }),
}));
process.stdout.write(JSON.stringify(answers));
