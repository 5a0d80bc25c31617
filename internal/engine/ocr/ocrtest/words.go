package ocrtest

import "strings"

// Words are what pictures are made of: common words of the six languages that are written with
// Latin letters and that the service reads, and what signs, labels and forms have beside words.
func Words() []string {
	return strings.Fields(`
about above account address after again airport always amount answer apple autumn avenue balance
banana basket battery beach before behind between bicycle birthday bottle bridge bright brother
building butter button camera candle captain carefully castle center certain chapter cheese
children chocolate church circle clothes coffee college company computer concert control corner
cotton country courage cousin creature cricket customer daughter December delivery desert dinner
direction distance doctor dolphin double dragon eastern economy education eleven emergency
energy engine English enough entrance evening exactly example exchange exercise exit family
famous farmer February festival finger finish fishing flower follow football foreign forest
forget forward fourteen freedom Friday friend furniture future garden general gentle giraffe
glasses government grammar grandmother green guitar happen harbor harvest health heaven holiday
hospital hotel hundred hungry husband imagine important industry inside island January journey
June jungle justice kitchen knowledge ladder language library license light listen London
machine magazine manager market material meadow measure medicine memory message middle minute
mirror Monday money monkey morning mountain museum music nature neighbor newspaper northern
notebook November number object ocean October office onion open orange orchestra outside oxygen
package painting palace paper parking passenger pencil pepper perfect person picture pilot
planet plastic platform please pocket police potato practice president price printer private
problem program promise public purple quality quarter question quickly quiet rabbit railway
receipt record refund remember repair report restaurant return river rocket Saturday school
science season secret September service shadow shoulder silver simple sister soldier southern
special spring square station stomach street student subject sugar summer Sunday supper surface
system teacher telephone temperature theater thirteen thousand Thursday ticket together tomorrow
traffic travel triangle Tuesday uncle under university vacation valley vegetable village visitor
volcano waiting warning water weather Wednesday welcome western window winter without wonderful
yellow yesterday zebra
Straße Größe Mädchen Bücher Frühstück Öffnung Ärzte Schlüssel müssen können Ausgang Bahnhof Zeitung
Freitag Jahrhundert Kartoffel Wissenschaft Regenschirm Geburtstag Apotheke Fußball Gebäude zwölf
français élève forêt hôtel garçon château théâtre première être façade naïve fenêtre bibliothèque
boulangerie dimanche Février journée sœur œuvre où déjà près
città perché così università caffè lunedì venerdì però bambino finestra gelato macchina Ferrovia
amanhã coração irmão não estação São pão avó você português manhã informação Saída
España mañana niño señor corazón jardín teléfono árbol también médico dirección aquí Salida pingüino
EXIT STOP OPEN CLOSED SALE TAXI HOTEL POLICE DANGER ENTRANCE PARKING WARNING TOILETS PRIVATE FRAGILE
URGENT EXPRESS CAUTION NOTICE AMBULANCE
2024 1987 365 42 100 9876543210 3.14 12:45 08:30 $19.99 $5.00 75% 50% #42 24/7 01/02/2025 1,250.00
555-0142 +49 A4 B12 X7 H2O KLM-4821 MH-370 AB-123-CD M25 R2D2 USB-C v2.0 No.5 Dr. Mr. Mrs. 7th 21st
info@example.com www.example.org e-mail self-made well-known O'Neill don't it's (c) [1] & Co. Ltd.
A I a
`)
}
