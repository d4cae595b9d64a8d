"""Questions as they are asked, those that mean the same beside each other: how gaps are judged.

The first half chose the threshold of ``kb.gaps``, the second judged it. Neighbours are near misses:
the same subject with another condition, programme, year or actor.
"""

from __future__ import annotations

CHOSEN_ON: tuple[tuple[str, ...], ...] = (
    (
        "Quel est le plafond des aides de minimis ?",
        "Combien d'aides de minimis une entreprise peut-elle recevoir sur trois ans ?",
        "What is the ceiling of de minimis aid?",
        "How much de minimis aid may an undertaking receive over three years?",
    ),
    (
        "Quel est le plafond de minimis pour les services d'intérêt économique général ?",
        "What is the de minimis ceiling for services of general economic interest?",
    ),
    (
        "Qui peut demander une garantie en fonds propres ?",
        "Qui a droit à la garantie en fonds propres ?",
        "Who can apply for an equity guarantee?",
    ),
    (
        "Combien de temps dure une garantie en fonds propres ?",
        "Quelle est la durée de la garantie en fonds propres ?",
        "How long does an equity guarantee last?",
    ),
    (
        "Combien coûte la garantie en fonds propres ?",
        "What does the equity guarantee cost?",
    ),
    (
        "Quel est le taux de cofinancement du programme LIFE ?",
        "What is the co-financing rate of the LIFE programme?",
        "Quelle part des coûts le programme LIFE prend-il en charge ?",
    ),
    (
        "Quel est le taux de cofinancement du programme CERV ?",
        "What is the co-financing rate of the CERV programme?",
    ),
    (
        "Combien d'associations y a-t-il en France ?",
        "Quel est le nombre d'associations françaises ?",
        "How many associations are there in France?",
    ),
    (
        "Combien de salariés les associations emploient-elles en France ?",
        "How many people do associations employ in France?",
    ),
    (
        "De combien les subventions de l'État aux associations ont-elles baissé depuis 2020 ?",
        "Quelle est la baisse des subventions aux associations depuis 2020 ?",
        "By how much have state grants to associations fallen since 2020?",
    ),
    (
        "Quelle est la part des subventions dans le budget des associations ?",
        "What share of associations' budgets comes from grants?",
    ),
    (
        "Quel budget pour l'économie sociale et solidaire en 2024 ?",
        "What is the 2024 budget for the social economy?",
    ),
    (
        "Quel budget pour l'économie sociale et solidaire en 2025 ?",
        "What is the 2025 budget for the social economy?",
    ),
    (
        "Quelles entreprises doivent publier un rapport de durabilité ?",
        "Which companies have to publish a sustainability report?",
        "Qui est soumis à la CSRD ?",
    ),
    (
        "Quand la directive sur le devoir de vigilance s'applique-t-elle ?",
        "À partir de quand le devoir de vigilance est-il obligatoire ?",
        "When does the due diligence directive apply?",
    ),
    (
        "Une association peut-elle émettre des titres associatifs ?",
        "Can an association issue bonds?",
    ),
    (
        "Quels avantages fiscaux pour un don à une association ?",
        "Quelle réduction d'impôt pour un don à une association ?",
        "What tax relief is there for a gift to an association?",
    ),
    (
        "Comment obtenir l'agrément ESUS ?",
        "Quelles conditions pour être agréé entreprise solidaire d'utilité sociale ?",
        "How does one obtain the ESUS accreditation?",
    ),
    (
        "Combien d'entreprises ont l'agrément ESUS ?",
        "How many enterprises hold the ESUS accreditation?",
    ),
    (
        "Quelle est la date limite de l'appel Horizon Europe sur la biodiversité ?",
        "What is the deadline of the Horizon Europe call on biodiversity?",
    ),
    (
        "Quelle est la date limite de l'appel Horizon Europe sur l'énergie ?",
        "What is the deadline of the Horizon Europe call on energy?",
    ),
    (
        "Comment les fondations investissent-elles leur dotation ?",
        "How do foundations invest their endowment?",
    ),
    (
        "Quel rendement ont les fonds à impact ?",
        "What return do impact funds yield?",
        "Combien rapportent les fonds d'investissement à impact ?",
    ),
    (
        "Que finance le livret de développement durable et solidaire ?",
        "À quoi sert l'argent déposé sur le LDDS ?",
    ),
    (
        "Combien d'épargne est déposée sur le livret A ?",
        "How much is saved on the livret A?",
    ),
)

JUDGED_ON: tuple[tuple[str, ...], ...] = (
    (
        "Qu'est-ce qu'une convention pluriannuelle d'objectifs ?",
        "Comment fonctionne une convention pluriannuelle d'objectifs ?",
        "What is a multiannual agreement on objectives?",
    ),
    (
        "Combien d'associations ont une convention pluriannuelle ?",
        "How many associations have a multiannual agreement?",
    ),
    (
        "Quelle différence y a-t-il entre subvention et marché public ?",
        "What is the difference between a grant and a public contract?",
        "En quoi une subvention se distingue-t-elle d'une commande publique ?",
    ),
    (
        "Quel est le seuil des marchés publics sans publicité ?",
        "Below which amount can a public contract be awarded without notice?",
    ),
    (
        "Quelles aides d'État sont exemptées de notification ?",
        "Which state aid is exempt from notification?",
        "Quand une aide d'État n'a-t-elle pas besoin d'être notifiée à la Commission ?",
    ),
    (
        "Qui contrôle les aides d'État dans l'Union européenne ?",
        "Who controls state aid in the European Union?",
    ),
    (
        "Quelle intensité d'aide le RGEC permet-il pour les énergies renouvelables ?",
        "What aid intensity does the GBER allow for renewable energy?",
    ),
    (
        "Quelle intensité d'aide le RGEC permet-il pour la formation ?",
        "What aid intensity does the GBER allow for training?",
    ),
    (
        "Le Fonds social européen finance-t-il les associations ?",
        "Une association peut-elle obtenir de l'argent du FSE ?",
        "Does the European Social Fund finance associations?",
    ),
    (
        "Le Fonds européen de développement régional finance-t-il les associations ?",
        "Does the European Regional Development Fund finance associations?",
    ),
    (
        "Quels appels sont ouverts pour les victimes de discrimination ?",
        "Which calls are open on victims of discrimination?",
    ),
    (
        "Quels appels sont ouverts pour la jeunesse ?",
        "Y a-t-il des appels à projets pour les jeunes ?",
        "Which calls are open for young people?",
    ),
    (
        "Combien de partenaires faut-il pour un projet Erasmus+ ?",
        "How many partners does an Erasmus+ project need?",
        "Quel est le nombre minimal de partenaires dans un projet Erasmus+ ?",
    ),
    (
        "Quelle est la subvention maximale d'un projet Erasmus+ ?",
        "What is the largest grant of an Erasmus+ project?",
    ),
    (
        "Que prévoit la taxonomie européenne pour le gaz ?",
        "What does the EU taxonomy say about gas?",
    ),
    (
        "Que prévoit la taxonomie européenne pour le nucléaire ?",
        "What does the EU taxonomy say about nuclear power?",
        "Le nucléaire est-il dans la taxonomie européenne ?",
    ),
    (
        "Combien les banques françaises prêtent-elles aux énergies fossiles ?",
        "How much do French banks lend to fossil fuels?",
        "Quels financements les banques françaises accordent-elles au pétrole et au gaz ?",
    ),
    (
        "Combien les assureurs français investissent-ils dans les énergies fossiles ?",
        "How much do French insurers invest in fossil fuels?",
    ),
    (
        "Quel est le besoin d'investissement pour la transition écologique en France ?",
        "How much investment does the ecological transition in France need?",
        "Combien faut-il investir chaque année pour la transition écologique ?",
    ),
    (
        "Quel est le besoin d'investissement pour la rénovation des logements ?",
        "How much investment does the renovation of homes need?",
    ),
    (
        "Comment le mécénat d'entreprise est-il imposé ?",
        "How is corporate giving taxed?",
    ),
    (
        "Combien les entreprises donnent-elles en mécénat chaque année ?",
        "How much do companies give to charity each year?",
    ),
    (
        "Que demande la Cour des comptes sur les subventions aux associations ?",
        "What does the Court of Auditors recommend on grants to associations?",
    ),
    (
        "Qu'est-ce que le contrat d'engagement républicain ?",
        "À quoi le contrat d'engagement républicain oblige-t-il une association ?",
        "What is the republican commitment contract?",
    ),
    (
        "Qu'est-ce qu'un contrat à impact social ?",
        "What is a social impact bond?",
        "Comment fonctionne un contrat à impact ?",
    ),
)
