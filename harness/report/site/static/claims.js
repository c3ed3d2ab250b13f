// Shows the claims with one verdict, by the links above them; the address keeps the choice.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const links = [...document.querySelectorAll("a[data-verdict]")];
  const claims = [...document.querySelectorAll("tbody[data-verdict]")];
  const choose = () => {
    const chosen = links.find((link) => link.hash === location.hash);
    const wanted = chosen ? chosen.dataset.verdict : "";
    for (const claim of claims) claim.hidden = wanted !== "" && claim.dataset.verdict !== wanted;
    for (const paper of document.querySelectorAll(".paper")) paper.hidden = !paper.querySelector("tbody:not([hidden])");
    for (const link of links) link.toggleAttribute("aria-current", link === chosen);
    const count = claims.filter((claim) => !claim.hidden).length;
    const shown = document.getElementById("shown");
    if (shown) shown.textContent = wanted ? `${count} of ${claims.length} claims: ${wanted}` : "";
  };
  window.addEventListener("hashchange", choose);
  choose();
});
