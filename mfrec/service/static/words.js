// What the model is worth, in words.

import { make } from "./dom.js";

const whole = (number) => number.toLocaleString("en");
const percent = (part) => `${(part * 100).toFixed(0)} %`;
const short = (number) => (number < 10 ? number.toFixed(1) : number.toFixed(0));

/** One sentence or two from the check of a model. */
export function quality({ check, counts }) {
  if (!check) return "Not checked.";
  if (check.verdict !== "good") return `${check.verdict[0].toUpperCase()}${check.verdict.slice(1)}.`;
  const sample = check.users < counts.users ? " of a sample" : "";
  const lists = `Personalised: ${whole(check.users)} users${sample} get ${whole(check.distinct_lists)} different lists`;
  return check.lift == null
    ? `${lists}; nothing was held out to compare with popularity.`
    : `${lists}; ${short(check.lift)} times as good as popularity on held-out data.`;
}

/** The numbers behind it, as pairs of a name and a text. */
function numbers({ version, check, counts, indexes }) {
  const size = `${whole(counts.users)} users × ${whole(counts.items)} items × ${counts.factors} factors`;
  const recalls = indexes.map(({ target, similarity, recall, backend }) => {
    const measured = Object.entries(recall).map(([k, value]) => `${value.toFixed(3)} of the best ${k}`).join(", ");
    return [`Index of ${target}s by ${similarity === "dot" ? "inner product" : similarity}`,
      measured ? `finds ${measured}` : backend === "exact" ? "exact" : "recall not measured"];
  });
  if (!check) return [["Version", version], ["Size", size], ...recalls];
  return [
    ["Version", version], ["Size", size],
    ["Factors in use", `${check.effective_rank.toFixed(1)} of ${check.factors} (effective rank)`],
    ["Items in at least one list", percent(check.items_reached)],
    ["Entries among the most popular", percent(check.overlap)],
    ["NDCG@20 held out, by popularity's", check.lift == null ? "not measured" : check.lift.toFixed(2)],
    ...recalls, ...check.notes.map((note) => ["Note", note]),
  ];
}

/** Draw the line under the header. */
export function drawBanner(box, model) {
  const { check, refused, version } = model;
  const open = box.querySelector("details")?.open ?? false;
  box.replaceChildren(
    make("details", { open },
      make("summary", {},
        make("span", { className: !check || check.verdict === "good" ? "good" : "refused", textContent: quality(model) }),
        make("small", { textContent: `model ${version}` })),
      make("dl", {}, ...numbers(model).flatMap(([name, text]) =>
        [make("dt", { textContent: name }), make("dd", { textContent: text })]))),
    refused ? make("p", { className: "refused", textContent: `Version ${refused.version} was refused: ${refused.reason}` }) : "");
}
