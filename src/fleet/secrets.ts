/** What keys and tokens of Azure contain. Such a text in the wrong place of a file is never repeated in a message. */
export const SECRET = /SharedAccess|AccountKey|sig=/i;
