// Who may join, and who has: for pages with the right to manage.
import { ask } from "/page/api.js";
import { drawTokens } from "/page/tables.js";
import { text } from "/page/text.js";

const qr = document.getElementById("qr");

export async function drawAccess() {
  const { tokens } = await ask("GET", "/v1/tokens");
  drawTokens(tokens, async (token) => {
    await ask("DELETE", `/v1/tokens/${encodeURIComponent(token.token_id)}`);
    await drawAccess();
  });
}

export function offerAccess() {
  document.getElementById("access").hidden = false;
  document.getElementById("add-phone").addEventListener("click", async () => {
    const made = await ask("POST", "/v1/codes", { rights: ["read", "write"] });
    const picture = document.getElementById("qr-picture");
    picture.src = `data:image/svg+xml,${encodeURIComponent(made.qr_svg)}`;
    picture.alt = text("qrAlt");
    document.getElementById("qr-link").textContent = made.link;
    qr.hidden = false;
  });
}
