// Pictures of a component, which are decoded before they take the place of what is shown.

/**
 * @param {string} url
 */
export async function decodedImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/**
 * A picture's address as a value of CSS. A style sheet would take a relative one as relative to itself.
 *
 * @param {string} url
 */
export const styleUrl = (url) => `url(${JSON.stringify(new URL(url, document.baseURI).href)})`;

/**
 * How much larger than it is a picture is shown: by a whole number, so that its pixels stay square, or smaller where it
 * has no room.
 *
 * @param {number} width
 * @param {number} height
 * @param {number} room  for the longer side, in CSS pixels
 */
export function scaleFor(width, height, room) {
  const longer = Math.max(width, height);
  return longer > room ? room / longer : Math.floor(room / longer);
}
