-- Finds faces by what the caller's records call their picture.
CREATE INDEX faces_by_external_id ON faces (collection_key, external_image_id, face_id)
    WHERE external_image_id IS NOT NULL;

-- Finds faces by their picture: also those without an external id, which the index before left out.
DROP INDEX faces_by_image;
CREATE INDEX faces_by_image ON faces (collection_key, image_id, external_image_id);
